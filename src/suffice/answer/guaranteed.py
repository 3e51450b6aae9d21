"""Statements with a target: which kind of answer each gets.

Every kind is a generator of answers, the last of which meets the target (or says what the budget bought); those
before it are true as well, with wider intervals. ``con.sql`` takes the last, ``con.stream`` shows all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.answer.engine import Engine, InterruptedWorkError
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
        columns: names, where they are known before the SQL runs.
    """

    rows: pa.Table | str
    guarantee: Guarantee | None = None
    columns: list[str] | None = None


def answers(engine: Engine, bound: Bound, target: Target, seed: int, work: Work) -> Iterator[Answer]:
    """Answer `bound` to `target`; randomness comes from `seed` alone.

    Raises:
        UsageError: the target does not fit the statement; the message says what can be asked instead.
    """
    if bound.calls:
        yield from _model_answers(engine, bound, target, seed, work)
    elif target.truth is not None:
        raise UsageError(f"TRUTH {target.truth} corrects what models say, and this statement asks none")
    else:
        from suffice.answer.tables.answers import table_answers

        yield from table_answers(engine, bound, target, seed, work)


def plan_lines(engine: Engine, bound: Bound, target: Target, seed: int, work: Work, *, analyze: bool) -> list[str]:
    """What :func:`answers` would do and what that is predicted to take; with `analyze` also what it took."""
    if bound.calls:
        from suffice.answer.explain_sample import explain_sample

        return explain_sample(engine, bound, target, seed, work, analyze=analyze)
    from suffice.answer.tables.plan_lines import table_plan_lines

    return table_plan_lines(engine, bound, target, seed, work, analyze=analyze)


def _model_answers(engine: Engine, bound: Bound, target: Target, seed: int, work: Work) -> Iterator[Answer]:
    from suffice.answer.aggregate import answer_aggregate
    from suffice.answer.kinds import kind_of
    from suffice.answer.ranked_limit import answer_ranked_limit
    from suffice.answer.select import answer_select

    kinds = {"aggregate": answer_aggregate, "selection": answer_select, "limit": answer_ranked_limit}
    try:
        yield from kinds[kind_of(bound, target)](engine, bound, target, seed, work)
    except KeyboardInterrupt:  # between two rounds; within one, what runs the model says so
        done = sum(model.done for model in work.model_calls.values())
        raise InterruptedWorkError(
            f"interrupted: what {done:,} calls gave is kept, the same statement goes on from there"
        ) from None
