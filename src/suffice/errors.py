"""What can go wrong, said in one line: the thing, the place, and the nearest right one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SufficeError(Exception):
    """The request failed; the message is one line a user can act on."""


class SufficeWarning(UserWarning):
    """The answer stands, but something was left out: a broken file, a failed row."""


class UsageError(SufficeError):
    """The request itself is malformed: it fails whatever the data are."""


class ModelError(SufficeError):
    """A model raised, or returned what its declaration does not allow."""


class ModelUnavailableError(ModelError):
    """No further input can be answered (endpoint down, key refused, spending cap): the query stops, paid rows stay."""


class MediaError(SufficeError):
    """A file cannot be read as the medium it claims to be."""


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """A hint such as `` (did you mean 'detect'?)``, or an empty string when nothing is close."""
    close = difflib.get_close_matches(name, list(known), n=count, cutoff=0.55)
    return f" (did you mean {' or '.join(repr(c) for c in close)}?)" if close else ""
