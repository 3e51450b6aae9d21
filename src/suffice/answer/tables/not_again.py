"""Statements found to be answered sooner by reading everything: exact from the start, until something is written."""

from __future__ import annotations

from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.tables.reader import Reader

_Key = tuple[str, object, str, float | None, float]
_KNOWN: dict[_Key, NotSampledError] = {}
_MOST = 1000


def require_new(reader: Reader, statement: str, error: float | None, confidence: float) -> None:
    """Raise :class:`NotSampledError` where sampling this statement to this target was given up before."""
    if reason := _KNOWN.get(_key(reader, statement, error, confidence)):
        raise NotSampledError(f"{reason} (found before)", rows=reason.rows)


def remember(reader: Reader, statement: str, error: float | None, confidence: float, reason: NotSampledError) -> None:
    """Do not try again while the target's file stays as it is."""
    key = _key(reader, statement, error, confidence)
    if key[1] is not None and len(_KNOWN) < _MOST:
        _KNOWN.setdefault(key, reason)


def _key(reader: Reader, statement: str, error: float | None, confidence: float) -> _Key:
    return reader.database.target, reader.state, statement, error, confidence
