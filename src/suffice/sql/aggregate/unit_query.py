"""The query that brings back, for each drawn part and group, the sums from which everything is estimated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from sqlglot import exp

from suffice.sql.aggregate.decompose import Decomposed
from suffice.sql.aggregate.from_tables import table_alias
from suffice.sql.aggregate.piece import Piece
from suffice.tables.source import PART, UNIT

Pair = tuple[int, int]

SAMPLED = "sampled"
"""Key in ``meta`` of the table node that is drawn from."""

BESIDE = "beside"
"""… and of the one whose rows with the same keys are read with it, where there is one."""

DRAWN_ROWS = "__suffice_drawn_rows"
"""Stands for the relation of a draw."""

DRAWN_BESIDE = "__suffice_drawn_beside"
"""… and for the rows beside it."""


def unit_query(
    statement: exp.Select,
    query: Decomposed,
    table: exp.Table,
    pairs: Collection[Pair],
    *,
    rows_are_units: bool,
    own_types: bool = False,
    own_squares: Collection[int] = (),
) -> exp.Select:
    """`statement` with `table` (marked in its FROM) replaced by :data:`DRAWN_ROWS`, as sums over units.

    Columns: ``__part``, ``__k{i}`` the keys, ``__m`` units with rows, and of each piece ``__s{i}`` sum, ``__l{i}``,
    ``__h{i}`` least and greatest unit, ``__q{i}_{j}`` sum of products of units, for `pairs`.

    Args:
        own_types: add values up in their own types, as the statement itself does: several times faster for decimals
            in DuckDB, and exact.
        own_squares: pieces whose products with themselves no such type overflows.
    """
    keys = [f"__k{i}" for i in range(len(query.keys))]
    inner = _units(statement, query, table, rows_are_units, own_types)
    items = [exp.column(name) for name in (PART, *keys)] + [exp.alias_(exp.Count(this=exp.Star()), "__m", copy=False)]
    items += _sums(query.pieces, pairs, rows_are_units, own_types, own_squares)
    units = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("units")))
    result = exp.Select(expressions=items, from_=exp.From(this=units))
    result.set("group", exp.Group(expressions=[exp.column(name) for name in (PART, *keys)]))
    return result.order_by(*(exp.column(name) for name in (PART, *keys)), copy=False)


def without_ends(query: exp.Select) -> exp.Select:
    """A :func:`unit_query` without ``__l{i}`` and ``__h{i}``; changes `query`."""
    return query.select(*(item for item in query.expressions if item.alias[:3] not in _ENDS), append=False, copy=False)


_ENDS = ("__l", "__h")


def _sums(
    pieces: Sequence[Piece],
    pairs: Collection[Pair],
    rows_are_units: bool,
    own_types: bool,
    own_squares: Collection[int],
) -> Iterator[exp.Expr]:
    counts = {i for i, piece in enumerate(pieces) if rows_are_units and own_types and piece.value is None}
    ones = {i for i in counts if pieces[i].condition is None}

    def double(value: exp.Expr) -> exp.Expr:
        return exp.cast(value, exp.DataType.Type.DOUBLE, copy=False) if own_types else value

    def end(function: type[exp.Func], i: int) -> exp.Expr:
        return double(exp.Literal.number(1) if i in ones else function(this=exp.column(f"__u{i}")))

    def product(i: int, j: int) -> exp.Expr:
        if i in ones or j in ones or (i == j and i in counts):  # 1 times the other, or 0 and 1 squared
            return end(exp.Sum, i if j in ones else j) if not {i, j} <= ones else double(exp.Count(this=exp.Star()))
        if i == j and i in own_squares:
            return double(exp.Sum(this=exp.Mul(this=exp.column(f"__u{i}"), expression=exp.column(f"__u{i}"))))
        left, right = (double(exp.column(f"__u{n}")) for n in (i, j))
        return exp.Sum(this=exp.Mul(this=left, expression=right))

    for i in range(len(pieces)):
        total = double(exp.Count(this=exp.Star())) if i in ones else end(exp.Sum, i)
        yield exp.alias_(total, f"__s{i}", copy=False)
        yield exp.alias_(end(exp.Min, i), f"__l{i}", copy=False)
        yield exp.alias_(end(exp.Max, i), f"__h{i}", copy=False)
    yield from (exp.alias_(product(i, j), f"__q{i}_{j}", copy=False) for i, j in sorted(pairs))


def drawn_rows(
    statement: exp.Select, keys: Sequence[exp.Expr], table: exp.Table, values: Sequence[exp.Expr]
) -> exp.Select:
    """The rows of `statement` with `table` replaced by :data:`DRAWN_ROWS`: ``__part``, ``__k{i}`` the keys, ``__u{i}``
    the values."""
    source = statement.copy()
    for node in list(source.find_all(exp.Table)):
        for mark, drawn in ((SAMPLED, DRAWN_ROWS), (BESIDE, DRAWN_BESIDE)):
            if node.meta.get(mark, False):
                node.replace(exp.to_table(drawn, alias=exp.TableAlias(this=_name(node))))
    items: list[exp.Expr] = [exp.alias_(_added(table, PART), PART, copy=False)]
    items += [exp.alias_(key.copy(), f"__k{i}", copy=False) for i, key in enumerate(keys)]
    items += [exp.alias_(value, f"__u{i}", copy=False) for i, value in enumerate(values)]
    result = exp.Select(expressions=items)
    for clause in ("from_", "joins", "where"):
        if source.args.get(clause):
            result.set(clause, source.args[clause])
    return result


def row_values(statement: exp.Select, query: Decomposed, table: exp.Table, relation: str | None) -> exp.Select:
    """What the rows of `statement` add to each piece, in their own types, with `relation` in the place of `table`."""
    rows = statement.copy()
    marked = (node for node in list(rows.find_all(exp.Table)) if relation and node.meta.get(SAMPLED))
    for node in marked:
        node.replace(exp.to_table(str(relation), alias=exp.TableAlias(this=_name(table)), dialect="duckdb"))
    result = exp.Select(expressions=[_row_value(piece) for piece in query.pieces])
    for clause in ("from_", "joins", "where"):
        if rows.args.get(clause):
            result.set(clause, rows.args[clause])
    return result


def own_rows(statement: exp.Select, table: exp.Table, owner: Callable[[exp.Column], str | None]) -> exp.Select:
    """Rows of :data:`DRAWN_ROWS` for which those conditions of `statement` hold that are of `table` alone."""
    alias = table_alias(table).lower()
    where = statement.args.get("where")
    terms = [] if where is None else list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    own = [
        term.copy()
        for term in terms
        if not term.find(exp.Query) and all(owner(column) == alias for column in term.find_all(exp.Column))
    ]
    drawn = exp.to_table(DRAWN_ROWS, alias=exp.TableAlias(this=_name(table)))
    rows = exp.select("*").from_(drawn)
    return rows.where(*own) if own else rows


def _name(table: exp.Table) -> exp.Identifier:
    """The name of the table as the statement writes it: where names are folded, a quoted one is another."""
    alias = table.args.get("alias")
    written = alias.this if alias is not None and alias.this is not None else table.this
    return written.copy() if isinstance(written, exp.Identifier) else exp.to_identifier(table_alias(table), quoted=True)


def _added(table: exp.Table, column: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(column), table=_name(table))


def _units(
    statement: exp.Select, query: Decomposed, table: exp.Table, rows_are_units: bool, own_types: bool
) -> exp.Select:
    value = (_row_value if own_types else _row_double) if rows_are_units else _unit_value
    result = drawn_rows(statement, query.keys, table, [value(piece) for piece in query.pieces])
    if not rows_are_units:
        added = [_added(table, column) for column in (PART, UNIT)]
        result.set("group", exp.Group(expressions=[*added, *(key.copy() for key in query.keys)]))
    return result


def _row_value(piece: Piece) -> exp.Expr:
    value = exp.Literal.number(1) if piece.value is None else piece.value.copy()
    if piece.condition is not None:
        value = exp.Case(ifs=[exp.If(this=piece.condition.copy(), true=value)])
    return exp.Coalesce(this=value, expressions=[exp.Literal.number(0)])


def _row_double(piece: Piece) -> exp.Expr:
    if piece.value is None and piece.condition is None:
        return exp.cast(exp.Literal.number(1), exp.DataType.Type.DOUBLE)
    return _double(_row_value(piece).this)


def _unit_value(piece: Piece) -> exp.Expr:
    return _double(piece.sum_sql())


def _double(value: exp.Expr) -> exp.Expr:
    as_double = exp.cast(value, exp.DataType.Type.DOUBLE)
    return exp.Coalesce(this=as_double, expressions=[exp.cast(exp.Literal.number(0), exp.DataType.Type.DOUBLE)])
