"""The query that brings back, for each drawn part and group, the sums from which everything is estimated."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp

from suffice.sql.aggregate.decompose import Decomposed
from suffice.sql.aggregate.from_tables import table_alias
from suffice.sql.aggregate.piece import Piece
from suffice.tables.source import PART, UNIT

Pair = tuple[int, int]

SAMPLED = "sampled"
"""Key in ``meta`` of the table node that is drawn from."""

DRAWN_ROWS = "__suffice_drawn_rows"
"""Stands for the relation of a draw."""


def unit_query(
    statement: exp.Select,
    query: Decomposed,
    table: exp.Table,
    pairs: Collection[Pair],
    *,
    rows_are_units: bool,
) -> exp.Select:
    """`statement` with `table` (marked in its FROM) replaced by :data:`DRAWN_ROWS`, as sums over units.

    Columns: ``__part``, ``__k{i}`` the keys, ``__m`` units with rows, and of each piece ``__s{i}`` sum, ``__l{i}``,
    ``__h{i}`` least and greatest unit, ``__q{i}_{j}`` sum of products of units, for `pairs`.
    """
    keys = [f"__k{i}" for i in range(len(query.keys))]
    inner = _units(statement, query, table, rows_are_units)
    items = [exp.column(name) for name in (PART, *keys)] + [exp.alias_(exp.Count(this=exp.Star()), "__m")]
    for i in range(len(query.pieces)):
        for letter, function in (("s", exp.Sum), ("l", exp.Min), ("h", exp.Max)):
            items.append(exp.alias_(function(this=exp.column(f"__u{i}")), f"__{letter}{i}"))
    for i, j in sorted(pairs):
        product = exp.Mul(this=exp.column(f"__u{i}"), expression=exp.column(f"__u{j}"))
        items.append(exp.alias_(exp.Sum(this=product), f"__q{i}_{j}"))
    units = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("units")))
    result = exp.Select(expressions=items, from_=exp.From(this=units))
    result.set("group", exp.Group(expressions=[exp.column(name) for name in (PART, *keys)]))
    return result


def drawn_rows(
    statement: exp.Select, keys: Sequence[exp.Expr], table: exp.Table, values: Sequence[exp.Expr]
) -> exp.Select:
    """The rows of `statement` with `table` replaced by :data:`DRAWN_ROWS`: ``__part``, ``__k{i}`` the keys, ``__u{i}``
    the values."""
    source = statement.copy()
    for node in list(source.find_all(exp.Table)):
        if node.meta.get(SAMPLED, False):
            node.replace(exp.to_table(DRAWN_ROWS, alias=exp.TableAlias(this=_name(table))))
    items: list[exp.Expr] = [exp.alias_(_added(table, PART), PART)]
    items += [exp.alias_(key.copy(), f"__k{i}") for i, key in enumerate(keys)]
    items += [exp.alias_(value, f"__u{i}") for i, value in enumerate(values)]
    result = exp.Select(expressions=items)
    for clause in ("from_", "joins", "where"):
        if source.args.get(clause):
            result.set(clause, source.args[clause])
    return result


def _name(table: exp.Table) -> exp.Identifier:
    """The name of the table as the statement writes it: where names are folded, a quoted one is another."""
    alias = table.args.get("alias")
    written = alias.this if alias is not None and alias.this is not None else table.this
    return written.copy() if isinstance(written, exp.Identifier) else exp.to_identifier(table_alias(table), quoted=True)


def _added(table: exp.Table, column: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(column), table=_name(table))


def _units(statement: exp.Select, query: Decomposed, table: exp.Table, rows_are_units: bool) -> exp.Select:
    value = _row_value if rows_are_units else _unit_value
    result = drawn_rows(statement, query.keys, table, [value(piece) for piece in query.pieces])
    if not rows_are_units:
        added = [_added(table, column) for column in (PART, UNIT)]
        result.set("group", exp.Group(expressions=[*added, *(key.copy() for key in query.keys)]))
    return result


def _row_value(piece: Piece) -> exp.Expr:
    value = exp.Literal.number(1) if piece.value is None else piece.value.copy()
    if piece.condition is not None:
        value = exp.Case(ifs=[exp.If(this=piece.condition.copy(), true=value)])
    if piece.value is None and piece.condition is None:
        return exp.cast(value, exp.DataType.Type.DOUBLE)
    return _double(value)


def _unit_value(piece: Piece) -> exp.Expr:
    return _double(piece.sum_sql())


def _double(value: exp.Expr) -> exp.Expr:
    as_double = exp.cast(value, exp.DataType.Type.DOUBLE)
    return exp.Coalesce(this=as_double, expressions=[exp.cast(exp.Literal.number(0), exp.DataType.Type.DOUBLE)])
