"""UNION ALL of aggregates: each SELECT is answered by itself with its share of the failure probability (Boole)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from suffice.answer.guarantee import Guarantee
from suffice.answer.tables.answers import Asking, Plan, answer_of, prepared, rows_of_looks
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.tables.reader import Reader

if TYPE_CHECKING:
    import pyarrow as pa

    from suffice.answer.guaranteed import Answer

Ends = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Part:
    """Rows of one SELECT, with the intervals of its sampled positions."""

    rows: pa.Table
    intervals: dict[int, Ends] = field(default_factory=dict)
    guarantee: Guarantee | None = None

    def ends(self, position: int) -> Ends:
        """An exact value lies between itself and itself."""
        if position in self.intervals:
            return self.intervals[position]
        values = self.rows.column(position).to_pylist()
        try:
            return [(float(value), float(value)) for value in values]
        except (TypeError, ValueError):
            raise NotSampledError(f"column {position + 1} of UNION ALL is a number in some SELECTs only") from None


def union_answer(asking: Asking, tree: exp.Union, reader: Reader) -> Answer:
    """The rows of all SELECTs; raises :class:`NotSampledError` when none of them can be sampled."""
    if asking.target.error_relative_max is None:
        raise NotSampledError("BUDGET without WITHIN over UNION ALL")
    selects = list(_selects(tree))
    share = replace(asking.target, confidence=1 - (1 - asking.confidence) / len(selects))
    asked = [replace(asking, bound=replace(asking.bound, tree=one, written=None), target=share) for one in selects]
    plans = [_planned(one, reader) for one in asked]
    if all(isinstance(plan, NotSampledError) for plan in plans):
        raise next(plan for plan in plans if isinstance(plan, NotSampledError))
    names, _ = reader.describe(tree.sql("duckdb"))
    parts = [_part(one, plan, reader) for one, plan in zip(asked, plans, strict=True)]
    if not any(part.intervals for part in parts):
        raise NotSampledError("no SELECT of UNION ALL is bounded by a sample")
    return _together(asking, names, _stacked(reader, tree, parts), parts)


def _selects(tree: exp.Expr) -> Iterator[exp.Select]:
    tree = tree.unnest()
    if isinstance(tree, exp.Select) and not any(tree.args.get(c) for c in ("order", "limit")):
        yield tree
    elif isinstance(tree, exp.Union) and not tree.args.get("distinct"):
        if any(tree.args.get(clause) for clause in ("with_", "order", "limit", "offset")):
            raise NotSampledError("WITH, ORDER BY or LIMIT over UNION ALL")
        yield from _selects(tree.this)
        yield from _selects(tree.expression)
    else:
        raise NotSampledError(f"{tree.key.upper()} of queries has no bound on a sample")


def _planned(asking: Asking, reader: Reader) -> Plan | NotSampledError:
    import duckdb

    try:
        return prepared(asking, reader)[0]
    except NotSampledError as reason:
        return reason
    except duckdb.Error as error:
        return NotSampledError(str(error).splitlines()[0])


def _part(asking: Asking, plan: Plan | NotSampledError, reader: Reader) -> _Part:
    try:
        if isinstance(plan, NotSampledError):
            raise plan
        *_, (looks, look, sql, order, rows) = (
            (looks, look, sql, order, asking.engine.database.connection.execute(sql).to_arrow_table())
            for looks, look, sql, order in rows_of_looks(asking, plan, reader)
        )
    except NotSampledError:
        return _Part(reader.cursor.execute(asking.bound.tree.sql("duckdb")).to_arrow_table())
    guarantee = answer_of(asking, looks, look, sql, order).guarantee
    assert guarantee is not None
    positions = {position: guarantee.intervals[plan.names[position]] for position in look.ends()}
    return _Part(rows, positions, guarantee)


def _stacked(reader: Reader, tree: exp.Union, parts: Sequence[_Part]) -> pa.Table:
    import pyarrow as pa

    schema = reader.cursor.execute(f"SELECT * FROM ({tree.sql('duckdb')}) LIMIT 0").to_arrow_table().schema
    try:
        return pa.concat_tables([part.rows.rename_columns(schema.names).cast(schema) for part in parts])
    except pa.ArrowInvalid as error:
        raise NotSampledError(f"the SELECTs of UNION ALL differ in type: {error}") from error


def _together(asking: Asking, names: Sequence[str], rows: pa.Table, parts: Sequence[_Part]) -> Answer:
    from suffice.answer.guaranteed import Answer

    sampled = [part.guarantee for part in parts if part.guarantee is not None]
    exact = sum(part.rows.num_rows for part in parts if part.guarantee is None)
    positions = sorted({position for part in parts for position in part.intervals})
    guarantee = replace(
        sampled[0],
        confidence=asking.confidence,
        target=asking.guarantee_target(),
        method="each SELECT of UNION ALL by itself: " + ", ".join(dict.fromkeys(one.method for one in sampled)),
        intervals={names[i]: [ends for part in parts for ends in part.ends(i)] for i in positions},
        sampled=sum(one.sampled for one in sampled),
        population=sum(one.population for one in sampled),
        assumptions=tuple(dict.fromkeys(clause for one in sampled for clause in one.assumptions)),
        details={"parts": [dict(one.details) for one in sampled], "rows_exact": exact},
    )
    return Answer(rows, guarantee)
