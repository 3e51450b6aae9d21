"""An exact answer where a guarantee was asked for: the rows, and why sampling was no option."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suffice.answer.engine import Engine
from suffice.answer.exact import answer_exactly
from suffice.answer.guarantee import Guarantee
from suffice.answer.guaranteed import Answer
from suffice.answer.work import Work
from suffice.sql.plan import Bound


def exact_answer(
    engine: Engine, bound: Bound, asked: Mapping[str, float], seed: int, work: Work, reason: str, population: int
) -> Answer:
    """Run everything; the guarantee is of tier ``exact`` and its method is `reason`."""
    before = {name: (model.done, model.cached) for name, model in work.model_calls.items()}
    sql = answer_exactly(engine, bound, work)
    for name, (done, cached) in before.items():  # what the sample has just paid for is not what was kept before
        model = work.of(name)
        model.cached = cached + max(model.cached - cached - done, 0)
    with engine.database.lock:
        rows = engine.database.connection.execute(sql).to_arrow_table()
    intervals = {name: _ends(rows.column(i).to_pylist()) for i, name in enumerate(rows.column_names)}
    return Answer(
        rows,
        Guarantee(
            target=asked,
            confidence=1.0,
            tier="exact",
            method=reason,
            intervals={name: ends for name, ends in intervals.items() if ends},
            sampled=population,
            population=population,
            seed=seed,
            assumptions=(),
        ),
    )


def _ends(values: list[Any]) -> list[tuple[float, float]]:
    numbers = [value for value in values if value is not None]
    if not all(hasattr(value, "__float__") and not isinstance(value, bool) for value in numbers):
        return []
    return [(float(value), float(value)) if value is not None else (float("nan"),) * 2 for value in values]
