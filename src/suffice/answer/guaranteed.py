"""Statements with a target: which kind of answer each gets.

Every kind is a generator of answers, the last of which meets the target (or says what the budget bought); those
before it are true as well, with wider intervals. ``con.sql`` takes the last, ``con.stream`` shows all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.answer.engine import Engine
from suffice.answer.guarantee import Guarantee
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.sql.plan import Bound
from suffice.sql.target import Target

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Answer:
    """Rows and what they promise.

    Attributes:
        rows: a table of rows, or the SQL that gives them.
        guarantee: None when the rows are exact and nothing needs saying of them.
    """

    rows: pa.Table | str
    guarantee: Guarantee | None = None


def answers(engine: Engine, bound: Bound, target: Target, seed: int, work: Work) -> Iterator[Answer]:
    """Answer `bound` to `target`; randomness comes from `seed` alone.

    Raises:
        UsageError: the target does not fit the statement; the message says what can be asked instead.
    """
    _refuse(bound)
    yield from ()


def plan_lines(engine: Engine, bound: Bound, target: Target, seed: int, work: Work, *, analyze: bool) -> list[str]:
    """What :func:`answers` would do and what that is predicted to take; with `analyze` also what it took."""
    _refuse(bound)
    return []


def _refuse(bound: Bound) -> None:
    if bound.calls:
        raise UsageError("WITHIN, RECALL, PRECISION and BUDGET over models are not answered yet: leave the clause out")
    raise UsageError("WITHIN and BUDGET over tables are not answered yet: leave the clause out")
