"""What a statement asks to be bounded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlglot import exp

from suffice.sql.aggregate.decompose import Decomposed
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.having import having_differences
from suffice.sql.aggregate.not_sampled import NotSampledError


@dataclass(frozen=True)
class Asked:
    """Formulas to bound: aggregate columns of SELECT, comparisons of HAVING, and the order that LIMIT cuts.

    Attributes:
        values: by SELECT position.
        rounding: by SELECT position, how much the type of the column may round off.
        differences: of HAVING, see :func:`having_differences`.
        order: what ORDER BY … DESC LIMIT `limit` ranks by; None when nothing ranks.
    """

    values: dict[int, Formula]
    rounding: dict[int, float]
    differences: list[Formula]
    order: Formula | None
    limit: int

    @property
    def formulas(self) -> list[Formula]:
        """Each distinct formula once."""
        order = [] if self.order is None else [self.order]
        return list(dict.fromkeys([*self.values.values(), *self.differences, *order]))


def require_own_names(names: Sequence[str], bounded: Collection[int]) -> None:
    """Raise :class:`NotSampledError` where the interval of a column at one of `bounded` would name another as well."""
    for position in bounded:
        if names.count(names[position]) > 1:
            raise NotSampledError(f"two columns are called {names[position]!r}")


def asked_of(query: Decomposed, types: Sequence[str]) -> Asked:
    """What a statement with result columns of `types` asks; raises :class:`NotSampledError` when its order has no
    bound."""
    values = {i: f for i, f in enumerate(query.outputs) if f is not None}
    rounding = {i: rounding_of(types[i]) for i in values}
    order, limit = _ranking(query)
    return Asked(values, rounding, having_differences(query), order, limit)


def rounding_of(type_name: str) -> float:
    """How much a result column of a type may round off."""
    if type_name in ("DOUBLE", "FLOAT"):
        return 0.0
    if type_name.startswith("DECIMAL"):
        return 0.5 * 10.0 ** -int(type_name.rstrip(")").split(",")[1])
    return 0.5


def _ranking(query: Decomposed) -> tuple[Formula | None, int]:
    order, limit = query.final.args.get("order"), query.final.args.get("limit")
    if order is None or limit is None or not query.keys:
        return None, 0
    if not (isinstance(limit.expression, exp.Literal) and limit.expression.is_int):
        raise NotSampledError("LIMIT is not a plain number")
    ranks = [_named_item(query.final, o.this) for o in order.expressions]
    if not _has_aggregate(ranks[0]):
        if any(map(_has_aggregate, ranks)):
            raise NotSampledError("ORDER BY a key, then an aggregate, with LIMIT")
        return None, 0
    if not order.expressions[0].args.get("desc"):
        raise NotSampledError("the least k groups may be ones that a sample misses (ORDER BY … ASC LIMIT)")
    return query.formula_of(ranks[0], "ORDER BY"), int(limit.expression.this)


def _has_aggregate(node: exp.Expr) -> bool:
    return any(c.name.startswith("__a") for c in node.find_all(exp.Column))


def _named_item(final: exp.Select, node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_int:
        item: exp.Expr = final.expressions[int(node.this) - 1].unalias()
        return item
    return node
