"""The exact rows that an answer may have: LIMIT takes any of those that nothing orders, or ORDER BY holds for equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

    from suffice.answer.result import Result


@dataclass(frozen=True)
class Allowed:
    """Attributes:
    rows: in the statement's order.
    needed: the first so many are in every answer.
    """

    rows: Sequence[Sequence[Any]]
    needed: int


def allowed_rows(statement: str, run: Callable[[str], Result]) -> Allowed:
    """Of a statement without a target, by running it, or it without its LIMIT."""
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(statement, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        tree = None
    limit = tree.args.get("limit") if isinstance(tree, exp.Query) else None
    if isinstance(tree, exp.Query) and limit and not tree.args.get("order"):
        return Allowed(run(_unlimited(tree).sql("duckdb")).fetchall(), 0)
    if isinstance(tree, exp.Select) and limit and _can_tie(tree) and (ranks := _ranks(tree)) is not None:
        rows, columns = run(_unlimited(tree.select(*ranks)).sql("duckdb")).fetchall(), len(tree.expressions)
        return _up_to(int(limit.expression.this), [row[:columns] for row in rows], [row[columns:] for row in rows])
    rows = run(statement).fetchall()
    return Allowed(rows, len(rows))


def _unlimited(tree: exp.Query) -> exp.Query:
    tree = tree.copy()
    tree.set("limit", None)
    tree.set("offset", None)
    return tree


def _can_tie(tree: exp.Select) -> bool:
    """Groups, all of which have to be made to order them; of plain rows with LIMIT models may see the first only."""
    from sqlglot import exp

    limit, has_stars = tree.args["limit"].expression, tree.is_star or tree.find(exp.Columns) is not None
    is_plain = not (has_stars or tree.args.get("offset") or tree.args.get("distinct"))
    return is_plain and bool(tree.args.get("group")) and isinstance(limit, exp.Literal) and limit.is_int


def _ranks(tree: exp.Select) -> list[exp.Expr] | None:
    """What ORDER BY orders by, as more columns; None where it does so in a way of its own."""
    from sqlglot import exp

    found: list[exp.Expr] = []
    aliases = {item.alias.lower(): item.this for item in tree.expressions if isinstance(item, exp.Alias)}
    for i, ordered in enumerate(tree.args["order"].expressions):
        rank = ordered.this
        if isinstance(rank, exp.Literal) and rank.is_int:
            rank = tree.expressions[int(rank.this) - 1].unalias()
        elif isinstance(rank, exp.Column) and not rank.table:
            rank = aliases.get(rank.name.lower(), rank)
        if isinstance(rank, exp.Literal | exp.Var) or rank.name.upper() == "ALL":
            return None
        found.append(exp.alias_(rank, f"__rank{i}"))
    return found


def _up_to(count: int, rows: list[Sequence[Any]], ranks: list[Sequence[Any]]) -> Allowed:
    """The first `count`, and those that rank as the last of them does."""
    if not 0 < count < len(rows):
        return Allowed(rows[:count], min(count, len(rows)))
    last = ranks[count - 1]
    first = next(i for i, rank in enumerate(ranks) if rank == last)
    end = next((i for i in range(count, len(rows)) if ranks[i] != last), len(rows))
    return Allowed(rows[:end], count if end == count else first)
