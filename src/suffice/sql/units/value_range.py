"""The least and the largest value an expression can have, from what is known without running a model.

Columns of media and tables have theirs in the database; models declare theirs; arithmetic carries them on (Moore,
"Interval Analysis", 1966). What nobody declares has none, and then no finite-sample bound rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.sql.plan import ROWS_PREFIX, SCALAR_PREFIX, BoundCall, number_of
from suffice.sql.rewrite.needs import relations_of

if TYPE_CHECKING:
    from sqlglot import exp

Ends = tuple[float, float]
ANY: Ends = (-math.inf, math.inf)
TRUTH: Ends = (0.0, 1.0)

Stored = Callable[[str, str], Ends]
"""Placeholder of a relation in the database and a column -> range of the column."""


@dataclass(frozen=True)
class ValueRange:
    """Ranges in one statement.

    `rows` is the most rows a relation in the database gives beside one unit; `is_one_row` whether a grouped SELECT has
    at most one row of each unit.
    """

    calls: Mapping[int, BoundCall]
    stored: Stored
    rows: Callable[[str], float]
    is_one_row: Callable[[exp.Select], bool]

    def of(self, node: exp.Expr, scope: exp.Select) -> Ends:
        """Range of a value in a row of `scope`; infinite where nothing is declared. NULL is outside of it."""
        from sqlglot import exp

        match node:
            case exp.Literal():
                return (float(node.this),) * 2 if not node.is_string else ANY
            case exp.Boolean() | exp.Predicate() | exp.Not() | exp.Connector():
                return TRUTH
            case exp.Paren():
                return self.of(node.this, scope)
            case exp.Cast():
                return self._cast(node, scope)
            case exp.Neg():
                low, high = self.of(node.this, scope)
                return -high, -low
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
                return _arithmetic(node, self.of(node.left, scope), self.of(node.right, scope))
            case exp.Case():
                values = [branch.args["true"] for branch in node.args.get("ifs") or []]
                return self._union([*values, *([node.args["default"]] if node.args.get("default") else [])], scope)
            case exp.If():
                other = node.args.get("false")
                return self._union([node.args["true"], *([other] if other is not None else [])], scope)
            case exp.Coalesce():
                return self._union([node.this, *node.expressions], scope)
            case exp.Abs():
                low, high = self.of(node.this, scope)
                return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
            case exp.AggFunc() | exp.Filter():
                return self._aggregate(node, scope)
            case exp.Anonymous():
                return self._scalar(node)
            case exp.Subquery() if isinstance(node.this, exp.Select) and len(node.this.expressions) == 1:
                return self.of(node.this.expressions[0].unalias(), node.this)
            case exp.Column():
                return self._column(node, scope)
        return ANY

    def rows_of_unit(self, scope: exp.Select) -> float:
        """The most rows of `scope` that one unit can give; infinite when a model does not declare it."""
        product = 1.0
        for relation in relations_of(scope):
            if not relation.is_filter:
                most = self._rows_of_relation(relation.node)
                product *= max(most, 1.0) if relation.join is not None and relation.join.side == "LEFT" else most
        return product

    def _rows_of_relation(self, node: exp.Expr) -> float:
        from sqlglot import exp

        if isinstance(node, exp.Table):
            number = number_of(node.name, ROWS_PREFIX)
            if number is None:
                return self.rows(node.name.lower())
            declared = self.calls[number].model.signature.rows_max
            return math.inf if declared is None else float(declared)
        body = _body(node)
        if not isinstance(body, exp.Select):
            return math.inf
        if self.is_one_row(body):
            return 1.0
        limit = self.rows_of_unit(body)
        return limit if body.args.get("group") is not None or not body.find(exp.AggFunc) else max(limit, 1.0)

    def _cast(self, node: exp.Cast, scope: exp.Select) -> Ends:
        from sqlglot import exp

        low, high = self.of(node.this, scope)
        if node.to.is_type(*exp.DataType.INTEGER_TYPES):
            return (math.floor(low) if math.isfinite(low) else low), (math.ceil(high) if math.isfinite(high) else high)
        if node.to.is_type("decimal"):
            return low - 0.5, high + 0.5  # rounded to some digit after the point, or to whole numbers
        return (low, high) if node.to.is_type(*exp.DataType.NUMERIC_TYPES, "boolean") else ANY

    def _union(self, nodes: list[exp.Expr], scope: exp.Select) -> Ends:
        from sqlglot import exp

        ends = [self.of(node, scope) for node in nodes if not isinstance(node, exp.Null)]
        return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else ANY

    def _aggregate(self, node: exp.Expr, scope: exp.Select) -> Ends:
        from sqlglot import exp

        if isinstance(node, exp.Filter):
            return self._aggregate(node.this, scope)
        rows = self.rows_of_unit(scope)
        if isinstance(node, exp.Count | exp.CountIf):
            return 0.0, rows
        if isinstance(node, exp.Avg | exp.Min | exp.Max | exp.AnyValue | exp.Median):
            return self.of(node.this, scope)
        if isinstance(node, exp.Sum):
            return sum_range(self.of(node.this, scope), rows)
        return ANY

    def _scalar(self, node: exp.Anonymous) -> Ends:
        number = number_of(node.name, SCALAR_PREFIX)
        if number is None:
            return (-1.0001, 1.0001) if node.name.lower() == "array_cosine_similarity" else ANY
        signature = self.calls[number].model.signature
        return _declared(signature.ranges, signature.outputs[0].name) if len(signature.outputs) == 1 else ANY

    def _column(self, column: exp.Column, scope: exp.Select) -> Ends:
        from sqlglot import exp

        around: exp.Select | None = scope
        while around is not None:
            for relation in relations_of(around):
                if relation.alias == column.table.lower():
                    return self._relation_column(relation.node, column.name.lower())
            around = around.find_ancestor(exp.Select)
        return ANY

    def _relation_column(self, node: exp.Expr, name: str) -> Ends:
        from sqlglot import exp

        renamed = [c.name.lower() for c in node.args["alias"].columns] if node.args.get("alias") else []
        if isinstance(node, exp.Table):
            number = number_of(node.name, ROWS_PREFIX)
            if number is None:
                return ANY if renamed else self.stored(node.name.lower(), name)
            return _declared(self.calls[number].model.signature.ranges, name)
        body = None if renamed else _body(node)
        if isinstance(body, exp.Select):
            inner = {p.alias_or_name.lower(): p.unalias() for p in body.expressions}.get(name)
            return self.of(inner, body) if inner is not None else ANY
        return ANY


def _body(relation: exp.Expr) -> exp.Expr | None:
    """The SELECT of a derived table, also of one that stands for a model whose columns FROM names anew."""
    from sqlglot import exp

    relation = relation.this if isinstance(relation, exp.Lateral) else relation
    return relation.this if isinstance(relation, exp.Subquery) else None


def sum_range(value: Ends, rows_max: float) -> Ends:
    """Range of a sum of at most `rows_max` values, none of them included."""
    return _times(min(value[0], 0.0), rows_max), _times(max(value[1], 0.0), rows_max)


def _declared(ranges: Mapping[str, Ends], name: str) -> Ends:
    lowered = {column.lower(): ends for column, ends in ranges.items()}
    return lowered.get(name.lower(), ANY)


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _arithmetic(node: exp.Expr, a: Ends, b: Ends) -> Ends:
    from sqlglot import exp

    match node:
        case exp.Add():
            return a[0] + b[0], a[1] + b[1]
        case exp.Sub():
            return a[0] - b[1], a[1] - b[0]
        case exp.Mul():
            corners = [_times(x, y) for x in a for y in b]
            return min(corners), max(corners)
    if b[0] <= 0 <= b[1]:
        return ANY
    corners = [0.0 if math.isinf(y) else x / y for x in a for y in b]
    return min(corners), max(corners)
