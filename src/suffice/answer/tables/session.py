"""Whether a statement means the same on the snapshot's own connection, and to the arithmetic that bounds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlglot import exp

from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.store.database import Database
from suffice.tables.file_state import target_state
from suffice.tables.reader import Reader
from suffice.tables.store_rows import store_rows

_ALIKE = (
    "search_path", "TimeZone", "ieee_floating_point_ops", "scalar_subquery_error_on_multiple_rows", "integer_division",
)  # fmt: skip
"""Settings of a session that change what a SELECT gives."""

_ASKED = "SELECT current_database(), current_schema(), " + ", ".join(f"current_setting('{n}')::VARCHAR" for n in _ALIKE)
_TEMPORARY = (
    "SELECT epoch_us(now()), list(name) FROM ("
    "SELECT lower(table_name) AS name FROM duckdb_tables() WHERE temporary UNION ALL"
    " SELECT lower(view_name) FROM duckdb_views() WHERE temporary AND NOT internal)"
)
"""``now()`` is when the transaction began."""


def require_plain_session(database: Database, tree: exp.Expr) -> None:
    """Raise :class:`NotSampledError` where the user's connection would read `tree` in another way than a fresh one."""
    _require_same_settings(database)
    session = _session(database)
    if session.reason:
        raise NotSampledError(session.reason)
    require_own_tables(database, tree)
    for name in {table.name.lower() for table in tree.find_all(exp.Table)} & session.temporary:
        raise NotSampledError(f"{name} is a temporary table, which no sample sees")


def _require_same_settings(database: Database) -> None:
    """Asked each time: any connection of this process to the same file may change those of all."""
    mine = list(map(str, database.rows(_ASKED)[0]))
    with database.cursor() as cursor:
        fresh = list(map(str, cursor.execute(_ASKED).fetchall()[0]))
    if mine[:2] != fresh[:2] or (mine[2] != fresh[2] and "," in mine[2]):
        raise NotSampledError("USE or search_path has names mean other tables than where samples are drawn")
    for name, here, there in zip(_ALIKE[1:], mine[3:], fresh[3:], strict=True):
        if here != there:
            raise NotSampledError(f"{name} is set in this session, which no sample sees")
    if mine[-1] == "true":
        raise NotSampledError("integer_division is set, and no bound is known of quotients that drop the fraction")


@dataclass(frozen=True)
class _Session:
    """What only statements of this session, or of what writes to the file, change.

    Attributes:
        reason: why no statement means there what it does to a fresh connection; empty where each does but those that
            name one of its tables.
        temporary: tables and views of its own, in lower case.
    """

    reason: str
    temporary: frozenset[str] = frozenset()


def _session(database: Database) -> _Session:
    """As it is; found anew where it may have changed."""
    now = database.changes, target_state(database)
    if database.is_lent or database.session is None or database.session[0] != now:
        database.session = now, _found(database)
    return cast("_Session", database.session[1])


def _found(database: Database) -> _Session:
    ((began, made),), ((began_then,),) = database.rows(_TEMPORARY), database.rows("SELECT epoch_us(now())")
    if began == began_then:
        return _Session("a transaction is open, whose changes no sample sees")
    temporary = _names(made)
    if temporary:  # targets that are not DuckDB's own show their tables as temporary ones, to every connection
        with database.cursor() as cursor:
            temporary -= _names(cursor.execute(_TEMPORARY).fetchall()[0][1])
    for (name,) in _replaced(database):
        return _Session(f"{name} is a macro here, and may mean anything")
    return _Session("", frozenset(temporary))


def _names(found: object) -> set[str]:
    """Of a list that DuckDB gave, NULL for an empty one."""
    return set(map(str, found)) if isinstance(found, list) else set()


def _replaced(database: Database) -> list[tuple[Any, ...]]:
    """Functions of DuckDB whose names macros have taken; to list them takes 13 ms."""
    if database.is_lent or database.changes:
        return database.rows(_REPLACED)
    return store_rows(Reader(database, database.connection, target_state(database)), _REPLACED) if database.file else []


_REPLACED = (
    "SELECT lower(function_name) FROM duckdb_functions() GROUP BY 1"
    " HAVING bool_or(internal) AND bool_or(NOT internal AND function_type LIKE '%macro')"
)


def require_own_tables(database: Database, tree: exp.Expr) -> None:
    """Raise :class:`NotSampledError` for tables of attached databases: what is remembered of tables holds for as long
    as the target's own file stays as it is."""
    places = {part.lower() for table in tree.find_all(exp.Table) for part in (table.catalog, table.db) if part}
    if not places:
        return
    for (attached,) in database.rows("SELECT lower(database_name) FROM duckdb_databases() WHERE NOT internal"):
        if attached in places and (attached,) != database.rows("SELECT lower(current_database())")[0]:
            raise NotSampledError(f"{attached} is an attached database, which may change unseen")
