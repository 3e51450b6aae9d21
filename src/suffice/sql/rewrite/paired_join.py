"""``a FULL JOIN b ON m(a.x, b.x)`` reads as a join over the pairs of row numbers for which the model holds.

``WITH a' AS MATERIALIZED (SELECT *, row_number() OVER () AS n FROM a), b' …, pairs AS (SELECT a.n, b.n FROM a' a, b' b
WHERE m(a.x, b.x)) … FROM a' a LEFT JOIN pairs ON pairs.a = a.n FULL JOIN b' b ON b.n = pairs.b``: a row of `a` without
a pair stays once, with nothing on the other side, and so does one of `b`; RIGHT takes the former away. Of an ASOF join,
the pairs of a row of `a` are the nearest one of those for which everything holds, as DuckDB has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.errors import UsageError
from suffice.sql.rewrite.on_as_column import Sides, bare, hide, is_lateral, read_by

if TYPE_CHECKING:
    from sqlglot import exp


def as_pairs(join: exp.Join, sides: Sides) -> None:
    """Rewrite a RIGHT, FULL or ASOF join whose ON is a condition on pairs."""
    from sqlglot import exp

    scope, on = join.parent, join.args["on"]
    assert isinstance(scope, exp.Select)
    right = join.this.alias_or_name.lower()
    read = [alias for alias in sides if alias in read_by(on, sides)]
    _check(join, scope, sides, read)
    tag = f"__pair_{1 + len(scope.args['joins'])}_{len(list(scope.root().find_all(exp.CTE)))}"
    numbered = {alias: f"{tag}_{i}" for i, alias in enumerate(read)}
    ctes = [_numbered(sides[alias], name) for alias, name in numbered.items()]
    tables = [_named(name, sides[alias].alias_or_name) for alias, name in numbered.items()]
    columns = [exp.alias_(exp.column(f"{n}n", table=sides[a].alias_or_name), f"{n}p") for a, n in numbered.items()]
    pairs = exp.Select(expressions=columns).from_(tables[0])
    for table in tables[1:]:
        pairs.append("joins", exp.Join(this=table, kind="CROSS"))
    ctes.append(_cte(tag, pairs.where(on.copy(), copy=False)))
    if join.method:
        pairs.set("qualify", _nearest(on, right, [f"{n}n" for alias, n in numbered.items() if alias != right]))
        join.set("method", None)
    for alias, name in numbered.items():
        hide(scope, alias, [f"{name}n"])
        relation = sides[alias]
        table = _named(name, relation.alias_or_name)
        table.set("joins", relation.args.get("joins"))
        relation.replace(table)
    _hide_from_star(scope, [f"{name}p" for name in numbered.values()])
    meets = {alias: _same(alias, name, tag, sides) for alias, name in numbered.items()}
    left = exp.and_(*(same for alias, same in meets.items() if alias != right), copy=False)
    paired = exp.Join(this=_named(tag, tag), side="LEFT" if join.side else None, on=left)
    joins = scope.args["joins"]
    joins.insert(joins.index(join), paired)
    scope.set("joins", joins)
    join.set("on", meets[right])
    _add_ctes(scope, ctes)


def _check(join: exp.Join, scope: exp.Select, sides: Sides, read: list[str]) -> None:
    before = scope.args["joins"][: scope.args["joins"].index(join)]
    advice = f"a model of both sides in the ON of {join.method or 'a'} {join.side} JOIN".replace("  ", " ")
    if any(one.side or one.method for one in before):
        raise UsageError(f"{advice} after another outer join: join the first two in a subquery first")
    if any(is_lateral(sides[alias]) for alias in read):
        raise UsageError(f"{advice} where a relation is made row by row: put it into a view or subquery first")


def _nearest(on: exp.Expr, right: str, rows: list[str]) -> exp.Expr:
    """Of the pairs of each row before the join, the one whose side of the inequality is next to the other's."""
    from sqlglot import exp

    compared = [part for part in on.flatten() if isinstance(part, exp.GT | exp.GTE | exp.LT | exp.LTE)]
    found = [part for part in compared if len(tables := _tables(part)) > 1 and right in tables]
    if len(found) != 1:
        raise UsageError(f"an ASOF JOIN has one inequality between its sides, not {len(found)}: {on.sql('duckdb')}")
    smaller, greater = (found[0].this, found[0].expression)
    if isinstance(found[0], exp.GT | exp.GTE):
        smaller, greater = greater, smaller
    is_smaller = right in _tables(smaller)
    order = exp.Ordered(this=(smaller if is_smaller else greater).copy(), desc=is_smaller)
    number = exp.Window(
        this=exp.RowNumber(), partition_by=[exp.column(row) for row in rows], order=exp.Order(expressions=[order])
    )
    return exp.Qualify(this=exp.EQ(this=number, expression=exp.Literal.number(1)))


def _tables(part: exp.Expr) -> set[str]:
    from sqlglot import exp

    return {column.table.lower() for column in part.find_all(exp.Column)}


def _numbered(relation: exp.Expr, name: str) -> exp.CTE:
    from sqlglot import exp

    number = exp.alias_(exp.Window(this=exp.RowNumber()), f"{name}n")
    body = exp.Select(expressions=[exp.Star(), number]).from_(bare(relation))
    return _cte(name, body, materialized=True)


def _cte(name: str, body: exp.Select, *, materialized: bool | None = None) -> exp.CTE:
    from sqlglot import exp

    return exp.CTE(this=body, alias=exp.TableAlias(this=exp.to_identifier(name)), materialized=materialized)


def _named(name: str, alias: str) -> exp.Table:
    from sqlglot import exp

    return exp.Table(this=exp.to_identifier(name), alias=exp.TableAlias(this=exp.to_identifier(alias)))


def _same(alias: str, name: str, tag: str, sides: Sides) -> exp.Expr:
    from sqlglot import exp

    number = exp.column(f"{name}n", table=sides[alias].alias_or_name)
    return exp.EQ(this=exp.column(f"{name}p", table=tag), expression=number)


def _hide_from_star(scope: exp.Select, names: list[str]) -> None:
    from sqlglot import exp

    for star in scope.expressions:
        if isinstance(star, exp.Star):
            star.set("except_", [*(star.args.get("except_") or []), *(exp.column(name) for name in names)])


def _add_ctes(scope: exp.Select, ctes: list[exp.CTE]) -> None:
    """Beside the scope's own; of a set operation, at its head, for its parts take none."""
    from sqlglot import exp

    holder: exp.Expr = scope
    while isinstance(holder.parent, exp.SetOperation):
        holder = holder.parent
    clause = holder.args.get("with_")
    if clause is None:
        holder.set("with_", exp.With(expressions=ctes))
    else:
        clause.set("expressions", [*clause.expressions, *ctes])
