"""COUNT(DISTINCT value) where all the values there can be are known: those seen are a lower bound, the list an upper.

No sample says how many values there are when nobody lists them (Charikar et al., PODS 2000).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from suffice.sql.plan import ROWS_PREFIX, SCALAR_PREFIX, number_of
from suffice.sql.rewrite.needs import relations_of
from suffice.sql.units.formula import VALUES_MAX, Distinct

if TYPE_CHECKING:
    from sqlglot import exp

    from suffice.models.protocol import Signature
    from suffice.sql.units.formula import Formulas
    from suffice.sql.units.value_range import ValueRange

StoredValues = Callable[[str, str], Sequence[object] | None]
"""Placeholder of a relation in the database and a column -> the values in it, None where they are too many."""


def distinct_values(node: exp.Expr, formulas: Formulas) -> Distinct | None:
    """The atom that ``count(DISTINCT value)`` is; None for anything else."""
    from sqlglot import exp

    inner = node.this if isinstance(node, exp.Filter) else node
    if not isinstance(inner, exp.Count) or not isinstance(inner.this, exp.Distinct):
        return None
    (value,) = inner.this.expressions
    condition = node.expression.this if isinstance(node, exp.Filter) else None

    def count(one: object) -> exp.Expr:
        wanted: exp.Expr = exp.EQ(this=exp.paren(value.copy()), expression=exp.convert(one))
        where = wanted if condition is None else exp.and_(wanted, exp.paren(condition.copy()))
        return exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=where))

    values = formulas.finite(value, formulas.scope)
    return Distinct(tuple(formulas.add(count(one), (0.0, formulas.rows_max), True) for one in values or ()))


def finite_values(
    node: exp.Expr, scope: exp.Select, ranges: ValueRange, stored: StoredValues
) -> Sequence[object] | None:
    """All values that `node` can have in a row of `scope`, NULL left out; None where nothing lists them."""
    from sqlglot import exp

    node = node.unnest()
    if isinstance(node, exp.Boolean | exp.Predicate | exp.Not | exp.Connector):
        return [True, False]
    if isinstance(node, exp.Anonymous) and (number := number_of(node.name, SCALAR_PREFIX)) is not None:
        signature = ranges.calls[number].model.signature
        return _declared(signature, signature.outputs[0].name)
    if not isinstance(node, exp.Column):
        return None
    for relation in relations_of(scope):
        if relation.alias != node.table.lower():
            continue
        if isinstance(relation.node, exp.Table):
            number, name = number_of(relation.node.name, ROWS_PREFIX), node.name.lower()
            if number is None:
                return stored(relation.node.name.lower(), name)
            return _declared(ranges.calls[number].model.signature, name)
        body = relation.node.this if isinstance(relation.node, exp.Subquery) else None
        if isinstance(body, exp.Select):
            made = {p.alias_or_name.lower(): p.unalias() for p in body.expressions}.get(node.name.lower())
            return finite_values(made, body, ranges, stored) if made is not None else None
    return None


def _declared(signature: Signature, name: str) -> Sequence[object] | None:
    """Truth values, or whole numbers in a declared range."""
    kind = next((column.type.upper() for column in signature.outputs if column.name.lower() == name), "")
    if kind == "BOOLEAN":
        return [True, False]
    ends = next((ends for column, ends in signature.ranges.items() if column.lower() == name), None)
    if ends is None or not (kind.endswith("INT") or kind == "INTEGER") or ends[1] - ends[0] >= VALUES_MAX:
        return None
    return list(range(int(ends[0]), int(ends[1]) + 1))
