"""Statements whose aggregates are quantiles: what is ranked, and which rank is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from suffice.sql.aggregate.allowed import require_row_expression
from suffice.sql.aggregate.decompose import Decomposed, keys_of, require_key, require_plain_clauses
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.not_sampled import NotSampledError

_QUANTILES = (exp.Median, exp.PercentileCont, exp.PercentileDisc, exp.Quantile)


@dataclass(frozen=True)
class Ranked:
    """The `share` quantile of `value` over the rows where `condition` holds and the value is not NULL."""

    value: exp.Expr
    share: float
    condition: exp.Expr | None

    def row_value(self) -> exp.Expr:
        """As a DOUBLE, NULL for rows that do not count."""
        value = self.value.copy()
        if self.condition is not None:
            value = exp.Case(ifs=[exp.If(this=self.condition.copy(), true=value)])
        return exp.cast(value, exp.DataType.Type.DOUBLE)


def has_quantiles(statement: exp.Select) -> bool:
    """Whether SELECT asks for a quantile."""
    return any(item.find(*_QUANTILES) for item in statement.expressions)


def decompose_quantiles(statement: exp.Select) -> tuple[Decomposed, dict[int, Ranked]]:
    """(keys and the final SELECT, what each SELECT position ranks).

    Raises:
        NotSampledError: an item is neither a group key nor one quantile, or a clause has no bound.
    """
    query = require_plain_clauses(statement, keys_of(statement))
    if statement.args.get("having") or statement.args.get("limit"):
        raise NotSampledError("HAVING or LIMIT beside a quantile")
    ranked: dict[int, Ranked] = {}
    for position, item in enumerate(statement.expressions):
        if item.find(exp.AggFunc):
            ranked[position] = _ranked(item.unalias())
            query.aggregates.append((item.unalias().copy(), Formula()))
    items = [_final(item, query, i, list(ranked)) for i, item in enumerate(statement.expressions)]
    query.final = exp.select(*items)
    if order := statement.args.get("order"):
        query.final.set("order", order.transform(lambda node: _key_column(node, query)))
        if query.final.args["order"].find(exp.AggFunc):
            raise NotSampledError("ORDER BY a quantile")
    return query, ranked


def _final(item: exp.Expr, query: Decomposed, position: int, ranked: list[int]) -> exp.Expr:
    if position in ranked:
        return exp.column(f"__a{ranked.index(position)}")
    found = item.unalias().copy().transform(lambda node: _key_column(node, query))
    require_key(found)
    return found


def _key_column(node: exp.Expr, query: Decomposed) -> exp.Expr:
    return exp.column(f"__k{query.keys.index(node)}") if node in query.keys else node


def _ranked(node: exp.Expr) -> Ranked:
    condition, descending = None, False
    if isinstance(node, exp.Filter):
        node, condition = node.this, node.expression.this
        require_row_expression(condition, "FILTER")
    value = node.this
    share: exp.Expr | None = node.args.get("expression") or node.args.get("quantile")
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, _QUANTILES):
        (ordered,) = node.expression.expressions
        value, share, descending = ordered.this, node.this.this, bool(ordered.args.get("desc"))
    elif isinstance(node, exp.Median):
        share = exp.Literal.number(0.5)
    elif not isinstance(node, _QUANTILES):
        raise NotSampledError(f"{node.sql('duckdb')[:60]} beside a quantile")
    if not (isinstance(share, exp.Literal) and not share.is_string and 0 < float(share.this) < 1):
        raise NotSampledError(f"{node.sql('duckdb')[:60]}: no sample bounds but one share between 0 and 1")
    require_row_expression(value, "a quantile")
    return Ranked(value, 1 - float(share.this) if descending else float(share.this), condition)
