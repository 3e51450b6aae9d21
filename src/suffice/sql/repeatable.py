"""Whether a query says the same each time it is read over the same rows.

What a need or a view was found to hold is remembered by its text. That is only right while every word of the text
keeps its meaning: a macro may be replaced, a Python function registered anew, a variable set.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from suffice.sql.bind import function_name
from suffice.sql.plan import ROWS_PREFIX, SCALAR_PREFIX, number_of
from suffice.sql.rewrite.needs import is_volatile

if TYPE_CHECKING:
    from sqlglot import exp

_READS_SETTINGS = frozenset(
    {"getvariable", "get_variable", "current_setting", "getenv", "current_schema", "current_schemas", "current_catalog"}
    | {"current_database", "current_user", "session_user", "user", "in_search_path", "current_query", "timezone"}
)
_ZONED = ("TIMESTAMPTZ", "TIMETZ", "TIMESTAMPLTZ")


def is_repeatable(tree: exp.Expr) -> bool:
    """Whether nothing but the rows it reads can change what `tree` means."""
    from sqlglot import exp

    return all(_keeps_its_word(node) for node in tree.find_all(exp.Func, exp.DataType, exp.Parameter, exp.Placeholder))


def may_change_meaning(tree: exp.Expr | None) -> bool:
    """Whether a statement may give words in others another meaning: a macro, a setting, a schema to look in."""
    from sqlglot import exp

    if isinstance(tree, exp.Create | exp.Drop):
        return str(tree.args.get("kind")).upper() not in ("TABLE", "VIEW", "INDEX", "SEQUENCE")
    reading = (exp.Query, exp.Values, exp.Pivot, exp.Describe, exp.Show)
    writing = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.Alter, exp.Transaction, exp.Commit)
    return not isinstance(tree, (*reading, *writing))


def _keeps_its_word(node: exp.Expr) -> bool:
    from sqlglot import exp

    if isinstance(node, exp.DataType):  # what it reads as depends on the session's time zone
        return node.this.value not in _ZONED if hasattr(node.this, "value") else True
    if not isinstance(node, exp.Func):
        return False
    name = function_name(node)
    if is_volatile(node) or name in _READS_SETTINGS:
        return False
    return not isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) or _is_ours(name) or name in _duckdbs_own()


def _is_ours(name: str) -> bool:
    return name == "crop" or any(number_of(name, prefix) is not None for prefix in (SCALAR_PREFIX, ROWS_PREFIX))


@cache
def _duckdbs_own() -> frozenset[str]:
    """Functions that every DuckDB has and that depend on their arguments only."""
    import duckdb

    with duckdb.connect() as fresh:  # in the user's own, Python functions count as internal too
        rows = fresh.execute(
            "SELECT function_name FROM duckdb_functions() WHERE internal AND function_type <> 'pragma'"
            " GROUP BY function_name HAVING bool_and(coalesce(stability, 'CONSISTENT') = 'CONSISTENT')"
        ).fetchall()
    return frozenset(str(name).lower() for (name,) in rows)
