"""A SELECT taken apart: group keys, sums over rows, and the formulas that make its outputs from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sqlglot import exp

from suffice.sql.aggregate.allowed import AGGREGATES, require_row_condition, require_row_expression
from suffice.sql.aggregate.formula import Formula, Operator
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.piece import Piece


@dataclass
class Decomposed:
    """Attributes:
    keys: grouping expressions.
    pieces: distinct sums over rows.
    aggregates: each distinct aggregate call of the statement with its formula; the final query refers to them by index.
    outputs: per SELECT item its formula, None for an item made of keys only.
    final: the statement's SELECT, HAVING and ORDER BY over columns ``__k{i}`` (keys) and ``__a{i}`` (aggregates).
    """

    keys: list[exp.Expr]
    pieces: list[Piece] = field(default_factory=list)
    aggregates: list[tuple[exp.Expr, Formula]] = field(default_factory=list)
    outputs: list[Formula | None] = field(default_factory=list)
    final: exp.Select = field(default_factory=exp.Select)

    def formula_of(self, expression: exp.Expr, clause: str) -> Formula:
        """The formula of a numeric expression over aggregates (after keys and aggregates became columns)."""
        if isinstance(expression, (exp.Alias, exp.Paren)):
            return self.formula_of(expression.this, clause)
        if isinstance(expression, exp.Column) and expression.name.startswith("__a"):
            return self.aggregates[int(expression.name[3:])][1]
        if isinstance(expression, exp.Literal) and not expression.is_string:
            return Formula(constant=float(expression.this))
        if isinstance(expression, exp.Neg):
            return Formula(constant=0.0) - self.formula_of(expression.this, clause)
        if isinstance(expression, exp.Cast) and expression.to.this in _FRACTIONAL:
            return self.formula_of(expression.this, clause)
        if operator := _OPERATORS.get(type(expression)):
            operands = self.formula_of(expression.this, clause), self.formula_of(expression.args["expression"], clause)
            return Formula(operator=operator, operands=operands)
        raise NotSampledError(f"{type(expression).__name__.upper()} of aggregates in {clause} has no error bound yet")

    def refer(self, aggregate: exp.Expr) -> exp.Column:
        """The column that stands for `aggregate` in the final query, registering it and its pieces."""
        for i, (known, _) in enumerate(self.aggregates):
            if known == aggregate:
                return exp.column(f"__a{i}")
        self.aggregates.append((aggregate.copy(), self._formula_of_aggregate(aggregate)))
        return exp.column(f"__a{len(self.aggregates) - 1}")

    def simplified(self, simpler: Callable[[Piece], Piece]) -> Decomposed:
        """With ``simpler(piece)`` for each piece, those that are the same then as one."""
        pieces = [simpler(piece) for piece in self.pieces]
        distinct = [piece for i, piece in enumerate(pieces) if piece not in pieces[:i]]
        place = [distinct.index(piece) for piece in pieces]
        aggregates = [(node, formula.renumbered(place)) for node, formula in self.aggregates]
        outputs = [None if formula is None else formula.renumbered(place) for formula in self.outputs]
        return Decomposed(self.keys, distinct, aggregates, outputs, self.final)

    def _formula_of_aggregate(self, node: exp.Expr) -> Formula:
        condition = None
        if isinstance(node, exp.Filter):
            node, condition = node.this, node.expression.this
        if not isinstance(node, AGGREGATES):
            raise NotSampledError(f"{_name(node)} has no error bound")
        value = node.this
        if isinstance(value, exp.Distinct):
            raise NotSampledError(f"{node.sql()}: no sample bounds a DISTINCT aggregate")
        if isinstance(node, exp.CountIf):
            return self._sum(None, value if condition is None else exp.and_(condition, value))
        if condition is not None:
            require_row_expression(condition, "FILTER")
        if isinstance(node, exp.Count):
            return self._count(value, condition)
        require_row_expression(value, _name(node))
        if isinstance(node, (exp.CovarPop, exp.CovarSamp, exp.Corr)):
            require_row_expression(node.expression, _name(node))
            return self._joint_moments(node, value, node.expression, condition)
        return self._moments(node, value, condition)

    def _joint_moments(self, node: exp.Expr, x: exp.Expr, y: exp.Expr, condition: exp.Expr | None) -> Formula:
        """Over the rows where neither is NULL."""
        both = [exp.Not(this=exp.Is(this=exp.paren(v.copy()), expression=exp.Null())) for v in (x, y)]
        rows = exp.and_(*both) if condition is None else exp.and_(condition, *both)
        doubles = [exp.cast(v.copy(), exp.DataType.Type.DOUBLE) for v in (x, y)]
        count, (sum_x, sum_y) = self._sum(None, rows), (self._sum(v, rows) for v in doubles)

        def scatter(i: int, j: int, product: Formula) -> Formula:
            return self._sum(exp.Mul(this=doubles[i].copy(), expression=doubles[j].copy()), rows) - product / count

        joint = scatter(0, 1, sum_x * sum_y)
        if isinstance(node, exp.Corr):
            return joint / (scatter(0, 0, sum_x * sum_x) * scatter(1, 1, sum_y * sum_y)).sqrt()
        return joint / (count - Formula(constant=1.0) if isinstance(node, exp.CovarSamp) else count)

    def _moments(self, node: exp.Expr, value: exp.Expr, condition: exp.Expr | None) -> Formula:
        total = self._sum(value, condition)
        if isinstance(node, exp.Sum):
            return replace(total, is_sum=True)
        count = self._count(value, condition)
        if isinstance(node, exp.Avg):
            return total / count
        as_double = exp.cast(value.copy(), exp.DataType.Type.DOUBLE)
        squares = self._sum(exp.Mul(this=as_double, expression=as_double.copy()), condition)
        population = isinstance(node, (exp.VariancePop, exp.StddevPop))
        degrees = count if population else count - Formula(constant=1.0)
        variance = (squares - total * total / count) / degrees
        return variance if isinstance(node, (exp.Variance, exp.VariancePop)) else variance.sqrt()

    def _count(self, value: exp.Expr | None, condition: exp.Expr | None) -> Formula:
        if value is None or isinstance(value, (exp.Star, exp.Literal)):
            return self._sum(None, condition)
        require_row_expression(value, "COUNT")
        present = exp.Not(this=exp.Is(this=exp.paren(value.copy()), expression=exp.Null()))
        return self._sum(None, present if condition is None else exp.and_(condition, present))

    def _sum(self, value: exp.Expr | None, condition: exp.Expr | None) -> Formula:
        piece = Piece(value, condition)
        if piece not in self.pieces:
            self.pieces.append(piece)
        return Formula(piece=self.pieces.index(piece))


def _name(node: exp.Expr) -> str:
    return node.sql_name() if isinstance(node, exp.Func) else node.sql()


_OPERATORS: dict[type[exp.Expr], Operator] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_FRACTIONAL = (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)
_CLAUSES = {
    "distinct": "SELECT DISTINCT", "windows": "WINDOW", "qualify": "QUALIFY", "sample": "SAMPLE", "pivots": "PIVOT",
    "offset": "OFFSET", "laterals": "LATERAL", "with_": "WITH", "connect": "CONNECT BY",
}  # fmt: skip


def decompose(statement: exp.Select) -> Decomposed:
    """Take `statement` apart; raises :class:`NotSampledError` when some part has no bound on a sample."""
    aliases = _aliases(statement)
    query = require_plain_clauses(statement, keys_of(statement))
    items = [_over_columns(item, query) for item in statement.expressions]
    if not query.aggregates:
        raise NotSampledError("there is no aggregate to bound")
    final = exp.select(*items)
    query.outputs = [query.formula_of(i, "SELECT") if _has_aggregate(i) else None for i in items]
    for item, output in zip(items, query.outputs, strict=True):
        if output is None:
            require_key(item)
    if having := statement.args.get("having"):
        final = final.having(_over_columns(_resolved(having.this, aliases), query))
    if order := statement.args.get("order"):
        final.set("order", _over_columns(_resolved(order, aliases), query))
    if limit := statement.args.get("limit"):
        final.set("limit", limit.copy())
    query.final = final
    return query


def require_plain_clauses(statement: exp.Select, keys: list[exp.Expr]) -> Decomposed:
    """Nothing but `keys` yet; raises :class:`NotSampledError` for clauses that no sample bounds."""
    for clause, name in _CLAUSES.items():
        if statement.args.get(clause):
            raise NotSampledError(f"{name} has no bound on a sample")
    if statement.args.get("where"):
        require_row_condition(statement.args["where"].this)
    return Decomposed(keys)


def _aliases(statement: exp.Select) -> dict[str, exp.Expr]:
    return {i.alias.lower(): i.this for i in statement.expressions if isinstance(i, exp.Alias)}


def keys_of(statement: exp.Select) -> list[exp.Expr]:
    """What GROUP BY groups by, names and positions resolved."""
    aliases = _aliases(statement)
    group = statement.args.get("group")
    if group is None:
        return []
    if any(group.args.get(k) for k in ("rollup", "cube", "grouping_sets", "totals")):
        raise NotSampledError("ROLLUP, CUBE and GROUPING SETS have no bound on a sample")
    if group.args.get("all"):
        return [i.unalias().copy() for i in statement.expressions if not i.find(exp.AggFunc)]
    keys = []
    for key in group.expressions:
        by_position = isinstance(key, exp.Literal) and key.is_int
        named = statement.expressions[int(key.this) - 1].unalias() if by_position else key
        keys.append(_resolved(named, aliases))
        require_row_expression(keys[-1], "GROUP BY")
    return keys


def _resolved(expression: exp.Expr, aliases: dict[str, exp.Expr]) -> exp.Expr:
    """`expression` with names of SELECT items replaced by what they name (not in ORDER BY position numbers)."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table and node.name.lower() in aliases:
            return exp.paren(aliases[node.name.lower()].copy())
        return node

    return expression.transform(replace).unnest()


def _over_columns(expression: exp.Expr, query: Decomposed) -> exp.Expr:
    def replace(node: exp.Expr) -> exp.Expr:
        if node in query.keys:
            return exp.column(f"__k{query.keys.index(node)}")
        if isinstance(node, exp.Filter | exp.AggFunc):
            return query.refer(node)
        return node

    if isinstance(expression, exp.Alias):
        return exp.alias_(_over_columns(expression.this, query), expression.args["alias"].copy())
    return expression.transform(replace)


def _has_aggregate(expression: exp.Expr) -> bool:
    return any(c.name.startswith("__a") for c in expression.find_all(exp.Column))


def require_key(expression: exp.Expr) -> None:
    """Raise :class:`NotSampledError` unless `expression` is made of key columns only."""
    for column in expression.find_all(exp.Column):
        if not column.name.startswith("__k"):
            raise NotSampledError(f"{column.sql()} is neither a group key nor an aggregate")
