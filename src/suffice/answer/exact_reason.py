"""An exact answer where a guarantee was asked for: the rows, and why sampling was no option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from suffice.answer.engine import Engine
from suffice.answer.exact import answer_exactly
from suffice.answer.guarantee import Guarantee
from suffice.answer.guaranteed import Answer
from suffice.answer.work import Work
from suffice.sql.plan import Bound

if TYPE_CHECKING:
    import pyarrow as pa


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
        answered = engine.database.connection.execute(sql)
        kinds = [str(column[1]) for column in answered.description]
        rows = _whole(answered.to_arrow_table(), kinds)
    keys = _keys(bound, len(kinds))
    intervals = {name: _ends(rows.column(i).to_pylist()) for i, name in enumerate(rows.column_names) if i not in keys}
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


def _keys(bound: Bound, columns: int) -> set[int]:
    """Columns that say which group a row is of."""
    from sqlglot import exp

    tree = bound.tree
    if not isinstance(tree, exp.Select) or tree.args.get("group") is None or len(tree.expressions) != columns:
        return set()
    return {i for i, each in enumerate(tree.expressions) if each.find(exp.AggFunc, exp.AnonymousAggFunc) is None}


def _whole(rows: pa.Table, kinds: Sequence[str]) -> pa.Table:
    """Arrow has no HUGEINT, which a SUM of whole numbers is: as BIGINT where that holds it, else as DECIMAL(38, 0)."""
    import pyarrow as pa

    for i, kind in enumerate(kinds):
        if kind.endswith("HUGEINT"):
            with suppress(pa.ArrowInvalid):
                rows = rows.set_column(i, rows.column_names[i], rows.column(i).cast(pa.int64()))
    return rows


def _ends(values: list[Any]) -> list[tuple[float, float]]:
    numbers = [value for value in values if value is not None]
    if not all(hasattr(value, "__float__") and not isinstance(value, bool) for value in numbers):
        return []
    return [(float(value), float(value)) if value is not None else (float("nan"),) * 2 for value in values]
