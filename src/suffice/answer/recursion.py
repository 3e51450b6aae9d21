"""WITH RECURSIVE over models, as SQL defines it: the first part, then the second over each step's rows until none come.

DuckDB runs the steps of a recursion by itself, and no model could run between them. So where one has to, each step is
a statement of its own here, whose models see what its rows need; what comes out stands in for the recursion.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suffice.answer.engine import Engine
from suffice.errors import UsageError
from suffice.sql.plan import ROWS_PREFIX, SCALAR_PREFIX, Bound, number_of

if TYPE_CHECKING:
    from sqlglot import exp

Answer = Callable[[Bound], str]
"""Runs the models of a query; the SQL that then gives its answer."""

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Recursion:
    """A common table that reads itself, in a WITH that calls models; `bound` has its first part and its step."""

    name: str
    cte: exp.CTE
    first: Bound
    step: Bound
    keeps_repeats: bool

    def step_over(self, table: str) -> Bound:
        """The second part, with the rows of `table` where it names itself."""
        tree = self.step.tree.copy()
        for reference in _references(tree, self.name):
            reference.set("alias", reference.args.get("alias") or _alias(reference.name))
            _point_at(reference, table)
        return replace(self.step, tree=tree)


def without_recursion(engine: Engine, bound: Bound, rows_of: Callable[[Engine, Recursion], str]) -> Bound:
    """`bound` with each recursion that needs models read from a table: the one that `rows_of` makes of it."""
    if next(_clauses(bound.tree), None) is None:
        return bound
    bound = replace(bound, tree=bound.tree.copy())
    while (clause := next(_clauses(bound.tree), None)) is not None:
        for position, cte in enumerate(clause.expressions):
            if _references(cte.this, cte.alias):
                recursion = _recursion(bound, clause, position)
                engine.passing.append(table := rows_of(engine, recursion))
                cte.set("this", _all_of(table))
        clause.set("recursive", False)
    return bound


def run_steps(answer: Answer) -> Callable[[Engine, Recursion], str]:
    """All rows of a recursion, its models run by `answer` before each step."""

    def rows_of(engine: Engine, recursion: Recursion) -> str:
        def answered(part: Bound) -> str:
            return answer(without_recursion(engine, part, rows_of))

        rows, steps = _first_rows(engine, recursion, answered(recursion.first)), itertools.count(1)
        last = rows
        while True:
            now = f"{rows}_{next(steps)}"
            sql = answered(recursion.step_over(last))
            engine.database.rows(f"CREATE OR REPLACE TEMP TABLE {now} AS FROM {rows} LIMIT 0")
            engine.database.rows(f"INSERT INTO {now} {sql}")
            if not recursion.keeps_repeats:
                engine.database.rows(f"CREATE OR REPLACE TEMP TABLE {now} AS FROM {now} EXCEPT FROM {rows}")
            if last is not rows:
                engine.database.rows(f"DROP TABLE {last}")
            last = now
            ((count,),) = engine.database.rows(f"SELECT count(*) FROM {now}")
            if not count:
                engine.database.rows(f"DROP TABLE {now}")
                return rows
            engine.database.rows(f"INSERT INTO {rows} FROM {now}")

    return rows_of


def no_rows(engine: Engine, recursion: Recursion) -> str:
    """A table with the recursion's columns, for looking at the rest of the statement; no model runs."""
    from suffice.sql.rewrite.as_sql import answer_sql

    return _first_rows(engine, recursion, f"SELECT * FROM ({answer_sql(recursion.first)}) LIMIT 0")


def calls_of(recursion: Recursion) -> list[int]:
    """Numbers of the calls in either part."""
    return [n for part in (recursion.first, recursion.step) for n in _calls(part.tree)]


def _first_rows(engine: Engine, recursion: Recursion, sql: str) -> str:
    table = f"temp.suffice_recursion_{next(_NUMBERS)}"
    columns = recursion.cte.args["alias"].columns
    named = f"t({', '.join(column.sql('duckdb') for column in columns)})" if columns else "t"
    distinct = "" if recursion.keeps_repeats else "DISTINCT "
    engine.database.rows(f"CREATE TEMP TABLE {table} AS SELECT {distinct}* FROM ({sql}) {named}")
    return table


def _clauses(tree: exp.Expr) -> Iterator[exp.With]:
    """WITH clauses, outermost first, that say RECURSIVE, hold a model, and hold a table that reads itself."""
    from sqlglot import exp

    for clause in tree.find_all(exp.With):
        reads_itself = any(_references(cte.this, cte.alias) for cte in clause.expressions)
        if clause.recursive and reads_itself and _calls(clause):
            yield clause


def _recursion(bound: Bound, clause: exp.With, position: int) -> Recursion:
    from sqlglot import exp

    cte = clause.expressions[position]
    body = cte.this.unnest()
    if not isinstance(body, exp.Union) or cte.args.get("key_expressions"):
        raise UsageError(
            f"WITH RECURSIVE {cte.alias}: with a model in it, it is a first part, UNION or UNION ALL, and a second part"
        )
    if any(body.args.get(key) for key in ("order", "limit", "offset")):
        raise UsageError(f"WITH RECURSIVE {cte.alias}: LIMIT or ORDER BY belongs into the query that reads it")
    around = _visible(clause, position)
    first, step = (replace(bound, tree=_beside(part, around)) for part in (body.this, body.expression))
    return Recursion(cte.alias, cte, first, step, not body.args.get("distinct"))


def _visible(clause: exp.With, position: int) -> list[exp.CTE]:
    """The common tables that one at `position` may read, outermost first."""
    from sqlglot import exp

    found, inside = list(clause.expressions[:position]), None
    around = clause.parent.parent if clause.parent is not None else None
    while around is not None:
        inside = around if isinstance(around, exp.CTE) else inside
        for cte in around.args["with_"].expressions if around.args.get("with_") else []:
            if cte is inside:
                break
            found.insert(0, cte)
        around = around.parent
    return found


def _beside(part: exp.Expr, ctes: list[exp.CTE]) -> exp.Expr:
    """A part as a query of its own, with the common tables it may read."""
    from sqlglot import exp

    query: exp.Expr = part.copy()
    while isinstance(query, exp.Subquery) and not query.alias:
        query = query.this
    own = query.args.get("with_")
    names = {cte.alias.lower() for cte in own.expressions} if own else set()
    outer = {cte.alias.lower(): cte.copy() for cte in ctes if cte.alias.lower() not in names}
    if outer:
        ctes = [*outer.values(), *(own.expressions if own else [])]
        recursive = any(_references(cte.this, cte.alias) for cte in ctes)
        query.set("with_", exp.With(expressions=ctes, recursive=recursive))
    return query


def _references(tree: exp.Expr, name: str) -> list[exp.Table]:
    """Where `tree` reads the common table `name`."""
    from sqlglot import exp

    tables = (t for t in tree.find_all(exp.Table) if not t.db and isinstance(t.this, exp.Identifier))
    return [table for table in tables if table.name.lower() == name.lower() and not _hides(table, name, tree)]


def _hides(table: exp.Table, name: str, tree: exp.Expr) -> bool:
    """Whether a WITH between the table and `tree` gives the name another meaning."""
    node: exp.Expr | None = table
    while node is not None:
        clause = node.args.get("with_")
        if clause is not None and any(cte.alias.lower() == name.lower() for cte in clause.expressions):
            return True
        node = None if node is tree else node.parent
    return False


def _calls(tree: exp.Expr) -> list[int]:
    from sqlglot import exp

    numbers = (number_of(n.name, p) for n in tree.find_all(exp.Anonymous) for p in (ROWS_PREFIX, SCALAR_PREFIX))
    return sorted({number for number in numbers if number is not None})


def _point_at(table: exp.Table, name: str) -> None:
    from sqlglot import exp

    schema, _, bare = name.rpartition(".")
    table.set("this", exp.to_identifier(bare))
    table.set("db", exp.to_identifier(schema))


def _alias(name: str) -> exp.TableAlias:
    from sqlglot import exp

    return exp.TableAlias(this=exp.to_identifier(name))


def _all_of(table: str) -> exp.Select:
    from sqlglot import exp

    return exp.select("*").from_(exp.to_table(table))
