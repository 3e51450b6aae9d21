"""The columns of an aggregate answer as arithmetic over totals of units.

``round(100 * avg(x), 1)`` is a monotone function of a constant times one atom, the ratio sum(x) / count(x). Linear
arithmetic over sums and counts is one atom, a quotient of two such is one, and only what is left is interval
arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Literal

from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.value_range import Ends, ValueRange, sum_range

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class Piece:
    """One aggregate of the rows of one unit and group, as SQL, and its range there. `is_whole`: an integer. `fold`: how
    those of several units are put together."""

    sql: str
    low: float
    high: float
    is_whole: bool
    fold: Literal["sum", "max", "min"] = "sum"


@dataclass(frozen=True)
class Linear:
    """A constant plus pieces times factors; NULL where no row adds to one of `sums`."""

    factors: dict[int, float]
    constant: float = 0.0
    sums: frozenset[int] = frozenset()

    def plus(self, other: Linear, sign: float = 1.0) -> Linear:
        factors = dict(self.factors)
        for piece, factor in other.factors.items():
            factors[piece] = factors.get(piece, 0.0) + sign * factor
        return Linear(factors, self.constant + sign * other.constant, self.sums | other.sums)

    def times(self, factor: float) -> Linear:
        factors = {piece: factor * value for piece, value in self.factors.items()}
        return Linear(factors, factor * self.constant, self.sums)

    def or_zero(self) -> Linear:
        """Where NULL is read as 0, or cannot be."""
        return replace(self, sums=frozenset())


@dataclass(frozen=True)
class Quotient:
    """top / bottom. `row_ends` is the range of one row when it is a mean of rows."""

    top: Linear
    bottom: Linear
    row_ends: Ends | None = None
    rows_max: float = float("inf")


@dataclass(frozen=True)
class Quantile:
    """The `share`-quantile of rows in `row_ends`: `rows` there are, `below` and `upto` each of the thresholds."""

    share: float
    rows: Linear
    below: tuple[Linear, ...]
    upto: tuple[Linear, ...]
    thresholds: tuple[float, ...]
    row_ends: Ends
    rows_max: float


@dataclass(frozen=True)
class Extreme:
    """The largest (else the least) value of a piece, over units that have `rows`."""

    piece: int
    rows: Linear
    is_max: bool
    ends: Ends


@dataclass(frozen=True)
class Distinct:
    """How many of some values have a row at all; `values` count the rows of each."""

    values: tuple[Linear, ...]

    @property
    def rows(self) -> Linear:
        """Rows that have one of the values."""
        return reduce(Linear.plus, self.values)


def sums_of(atom: Atom) -> frozenset[int]:
    """Pieces without rows in which the atom is NULL."""
    match atom:
        case Linear():
            return atom.sums
        case Quotient():
            return atom.top.sums | atom.bottom.sums
    return frozenset()


Atom = Linear | Quotient | Quantile | Extreme | Distinct

VALUES_MAX = 100
"""The most values a column can have of which COUNT(DISTINCT) is bounded."""


@dataclass(frozen=True)
class Key:
    """A column of GROUP BY, by its number."""

    number: int


@dataclass(frozen=True)
class AtomNode:
    """An atom, by its number."""

    number: int


@dataclass(frozen=True)
class Constant:
    value: float


@dataclass(frozen=True)
class Operation:
    """`operator` is one of ``+ - * /``, or the name of a rising function of its first operand."""

    operator: str
    operands: tuple[Node, ...]


Node = Key | AtomNode | Constant | Operation


@dataclass
class Formulas:
    """Reads expressions of the outermost SELECT; collects the pieces and atoms they are made of."""

    scope: exp.Select
    keys: Sequence[exp.Expr]
    ranges: ValueRange
    rows_max: float
    is_unit_key: Callable[[Sequence[exp.Expr], exp.Select], bool]
    has_all_units: bool = False
    """Whether every unit has a row, whatever the models say."""
    finite: Callable[[exp.Expr, exp.Select], Sequence[object] | None] = lambda node, scope: None
    """All values that an expression can have, None where nothing lists them."""
    grids: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The thresholds of each quantile, by its SQL; none before they are chosen."""
    pieces: list[Piece] = field(default_factory=list)
    atoms: list[Atom] = field(default_factory=list)
    quantiles: list[exp.Expr] = field(default_factory=list)

    def read(self, node: exp.Expr) -> Node:
        """The formula of an expression.

        Raises:
            NoBoundError: part of it has no bound from a sample.
        """
        from sqlglot import exp

        from suffice.sql.units.distinct_values import distinct_values
        from suffice.sql.units.order_statistics import order_statistic

        for number, key in enumerate(self.keys):
            if key == node:
                return Key(number)
        if isinstance(node, exp.Paren):
            return self.read(node.this)
        if (linear := self._linear(node)) is not None:
            return self._atom(linear) if linear.factors else Constant(linear.constant)
        if (quotient := self._quotient(node)) is not None:
            return self._atom(quotient)
        if (ranked := distinct_values(node, self) or order_statistic(node, self)) is not None:
            return self._atom(ranked)
        return self._operation(node)

    def _atom(self, atom: Atom) -> AtomNode:
        if atom not in self.atoms:
            self.atoms.append(atom)
        return AtomNode(self.atoms.index(atom))

    def _operation(self, node: exp.Expr) -> Node:
        from sqlglot import exp

        operators: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
        rising: dict[type[exp.Expr], str] = {
            exp.Round: "round",
            exp.Floor: "floor",
            exp.Ceil: "ceil",
            exp.Sqrt: "sqrt",
            exp.Exp: "exp",
        }
        if type(node) in operators:
            return Operation(operators[type(node)], (self.read(node.this), self.read(node.expression)))
        if type(node) in rising:
            digits = [node.args["decimals"]] if isinstance(node, exp.Round) and node.args.get("decimals") else []
            return Operation(rising[type(node)], (self.read(node.this), *(self.read(digit) for digit in digits)))
        if isinstance(node, exp.Neg):
            return Operation("-", (Constant(0.0), self.read(node.this)))
        if isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.REAL_TYPES):
            return self.read(node.this)
        if isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.INTEGER_TYPES):
            return Operation("round", (self.read(node.this),))
        raise NoBoundError(f"{shown(node)} has no bound from a sample")

    def _quotient(self, node: exp.Expr) -> Quotient | None:
        from sqlglot import exp

        inner = node.this if isinstance(node, exp.Filter) else node
        if isinstance(inner, exp.Avg) and not isinstance(inner.this, exp.Distinct):
            value = inner.this
            top, bottom = exp.Sum(this=value.copy()), exp.Count(this=value.copy())
            if isinstance(node, exp.Filter):
                top, bottom = (exp.Filter(this=f, expression=node.expression.copy()) for f in (top, bottom))  # type: ignore[assignment]
            sums, rows = self._linear(top), self._linear(bottom)
            assert sums is not None and rows is not None
            return Quotient(sums.or_zero(), rows, self.ranges.of(value, self.scope), self.rows_max)
        if not isinstance(node, exp.Div):
            return None
        top_, bottom_ = self._linear(node.left.unnest()), self._linear(node.right.unnest())
        if top_ is None or bottom_ is None or top_.constant or bottom_.constant or not top_.factors:
            return None
        if not bottom_.factors or any(f < 0 or self.pieces[p].low < 0 for p, f in bottom_.factors.items()):
            return None
        if list(bottom_.factors.values()) == [1.0] and self._is_count_of_units(node.right.unnest()):
            return Quotient(top_, bottom_, self._unit_ends(top_), 1.0)  # a mean of units: no rows, no unit
        ends = self._row_ends(node.left.unnest(), node.right.unnest())
        return Quotient(top_, bottom_, ends, self.rows_max) if ends is not None else Quotient(top_, bottom_)

    def _is_count_of_units(self, node: exp.Expr) -> bool:
        from sqlglot import exp

        while isinstance(node, exp.Cast | exp.Paren):
            node = node.this
        return isinstance(node, exp.Count) and isinstance(node.this, exp.Distinct)

    def _unit_ends(self, linear: Linear) -> Ends:
        """Range of what one unit adds."""
        ends = [
            sorted((_times(factor, self.pieces[piece].low), _times(factor, self.pieces[piece].high)))
            for piece, factor in linear.factors.items()
        ]
        return sum(low for low, _ in ends), sum(high for _, high in ends)

    def _row_ends(self, top: exp.Expr, bottom: exp.Expr) -> Ends | None:
        """Range of one row of ``sum(x) / count(…)`` over the same rows; a row whose x is NULL adds nothing."""
        from sqlglot import exp

        if isinstance(top, exp.Filter) != isinstance(bottom, exp.Filter):
            return None
        if isinstance(top, exp.Filter) and isinstance(bottom, exp.Filter):
            if top.expression != bottom.expression:
                return None
            top, bottom = top.this, bottom.this
        if not isinstance(top, exp.Sum) or not isinstance(bottom, exp.Count) or isinstance(top.this, exp.Distinct):
            return None
        low, high = self.ranges.of(top.this, self.scope)
        if bottom.this == top.this:
            return low, high
        return (min(low, 0.0), max(high, 0.0)) if isinstance(bottom.this, exp.Star) else None

    def _linear(self, node: exp.Expr) -> Linear | None:
        from sqlglot import exp

        match node:
            case exp.Paren():
                return self._linear(node.this)
            case exp.Literal() if not node.is_string:
                return Linear({}, float(node.this))
            case exp.Neg():
                inner = self._linear(node.this)
                return inner.times(-1) if inner is not None else None
            case exp.Cast() if node.to.is_type(*exp.DataType.REAL_TYPES):
                return self._linear(node.this)
            case exp.Coalesce() if isinstance(node.this, exp.AggFunc | exp.Filter) and len(node.expressions) == 1:
                is_zero = isinstance(node.expressions[0], exp.Literal) and float(node.expressions[0].this) == 0
                inner = self._linear(node.this)
                return inner.or_zero() if is_zero and inner is not None else None
            case exp.Add() | exp.Sub():
                left, right = self._linear(node.left), self._linear(node.right)
                if left is None or right is None:
                    return None
                return left.plus(right, 1.0 if isinstance(node, exp.Add) else -1.0)
            case exp.Mul():
                return self._product(self._linear(node.left), self._linear(node.right))
            case exp.Div():
                left, right = self._linear(node.left), self._linear(node.right)
                if left is None or right is None or right.factors or not right.constant:
                    return None
                return left.times(1 / right.constant)
        return self._piece(node)

    def _product(self, left: Linear | None, right: Linear | None) -> Linear | None:
        if left is None or right is None or (left.factors and right.factors):
            return None
        return right.times(left.constant) if right.factors else left.times(right.constant)

    def _piece(self, node: exp.Expr) -> Linear | None:
        """Count, sum or count_if, with or without FILTER: a total of what units contribute."""
        from sqlglot import exp

        inner = node.this if isinstance(node, exp.Filter) else node
        if not isinstance(inner, exp.Count | exp.CountIf | exp.Sum):
            return None
        if isinstance(inner.this, exp.Distinct):
            return self._distinct(node, inner)
        is_count = not isinstance(inner, exp.Sum)
        ends = (0.0, self.rows_max) if is_count else sum_range(self.ranges.of(inner.this, self.scope), self.rows_max)
        linear = self.add(node, ends, is_count)
        return linear if is_count else replace(linear, sums=frozenset(linear.factors))

    def _distinct(self, node: exp.Expr, inner: exp.Expr) -> Linear | None:
        """COUNT(DISTINCT key of the unit) counts units; None for values that are all known beforehand."""
        from sqlglot import exp

        columns = inner.this.expressions
        if isinstance(inner, exp.Count) and self.is_unit_key(columns, self.scope):
            is_one = self.has_all_units and not isinstance(node, exp.Filter)
            return self.add(node, (1.0 if is_one else 0.0, 1.0), True)
        if isinstance(inner, exp.Count) and len(columns) == 1 and self.finite(columns[0], self.scope):
            return None
        raise NoBoundError(
            f"{shown(node)}: no sample bounds how many different values there are (Charikar et al., PODS 2000), unless"
            f" they are those of a stored column, true and false, or whole numbers in a declared range, {VALUES_MAX} at"
            " most; GROUP BY counts each value"
        )

    def add(self, node: exp.Expr, ends: Ends, is_whole: bool) -> Linear:
        """A piece that adds up over units, as a linear atom of its own."""
        piece = Piece(f"coalesce({node.sql('duckdb')}, 0)::DOUBLE", *ends, is_whole)
        if piece not in self.pieces:
            self.pieces.append(piece)
        return Linear({self.pieces.index(piece): 1.0})


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def shown(node: exp.Expr) -> str:
    """An expression as the user wrote it, more or less."""
    import re

    text = re.sub(r"\b(?:m\d+_)+", "", node.sql("duckdb", normalize_functions="lower"))
    return re.sub(r"__(?:scalar|rows|media|base)_\d+", "model", text, flags=re.IGNORECASE)
