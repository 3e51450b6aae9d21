"""A question of any make, asked within an error: SQL text, an ibis expression, a pandas or Polars frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.answer.result import Result


class Asks(Protocol):
    """What answers: a connection."""

    def sql(self, query: str, *, seed: int | None = None) -> Result: ...

    @property
    def duckdb(self) -> Any: ...


class Question:
    """Made by ``con.ask(…)``; nothing runs before :meth:`within` or :meth:`exact`."""

    def __init__(self, con: Asks, question: Any, frames: Mapping[str, Any]) -> None:
        self._con, self._frames = con, dict(frames)
        self._frame = question if hasattr(question, "columns") and not hasattr(question, "unbind") else None
        if self._frame is not None:
            self._frames["frame"] = question
        self._query = None if self._frame is not None else _text(question)

    def select(self, items: str) -> Question:
        """Of a frame: what to ask of it, such as ``"sum(price) AS total"``."""
        if self._frame is None:
            raise UsageError("select() is for a frame; a SELECT says itself what it asks")
        return Question(self._con, f"SELECT {items} FROM frame", {**self._frames})

    def within(self, error: float, confidence: float = 0.95, *, seed: int | None = None) -> Result:
        """Every aggregate within the share `error` of its value, all at once with probability `confidence`."""
        if not 0 < error < 1 or not 0 < confidence < 1:
            raise UsageError(
                f"within({error:g}, {confidence:g}): shares between 0 and 1 are needed, such as 0.05, 0.95"
            )
        return self._run(f" WITHIN {100 * error:.10g}% CONFIDENCE {100 * confidence:.10g}%", seed)

    def exact(self) -> Result:
        """The exact answer."""
        return self._run("", None)

    def _run(self, clause: str, seed: int | None) -> Result:
        if self._query is None:
            raise UsageError("say what to ask of the frame: .select('sum(price) AS total')")
        with self._registered():
            return self._con.sql(self._query + clause, seed=seed)

    @contextmanager
    def _registered(self) -> Iterator[None]:
        """Frames under their names, for one statement."""
        for name, frame in self._frames.items():
            self._con.duckdb.register(name, frame.to_arrow() if hasattr(frame, "to_arrow") else frame)
        try:
            yield
        finally:
            for name in self._frames:
                self._con.duckdb.unregister(name)


def _text(question: Any) -> str:
    if isinstance(question, str):
        return question.strip().rstrip(";")
    if hasattr(question, "unbind"):
        import ibis

        return str(ibis.to_sql(question, dialect="duckdb")).strip().rstrip(";")
    raise UsageError(f"ask() takes a SELECT, an ibis expression or a frame, not {type(question).__name__}")
