"""The cheapest way to draw from a table of the target."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from suffice.store.database import literal
from suffice.tables.clickhouse_tables import rows_of_table
from suffice.tables.duckdb_vectors import DuckDBVectors
from suffice.tables.fingerprint import parquet_files
from suffice.tables.parquet_groups import ParquetGroups
from suffice.tables.reader import Reader, plain_name
from suffice.tables.scramble import catalogued, fresh_scramble
from suffice.tables.source import Source, UnreadableLayoutError


def open_source(reader: Reader, name_sql: str) -> Source:
    """A fresh scramble, else the table as it lies; raises :class:`UnreadableLayoutError` when neither will do."""
    import duckdb

    try:
        if scramble := fresh_scramble(reader, name_sql):
            return scramble
        if catalogued(reader, name_sql) is not None:
            raise UnreadableLayoutError(
                f"{name_sql} was written to since its scramble was made: suffice scramble renews it"
            )
        if reader.database.is_postgres:
            raise UnreadableLayoutError(f"PostgreSQL keeps no bounds on values: suffice scramble {name_sql} makes them")
        if reader.database.clickhouse is not None:
            raise UnreadableLayoutError(f"ClickHouse keeps no bounds on values: suffice scramble {name_sql} makes them")
        if files := parquet_files(reader, name_sql):
            assert reader.database.lake is not None
            return ParquetGroups(reader, files, reader.database.lake.open)
        return DuckDBVectors(reader, name_sql)
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise UnreadableLayoutError(f"{name_sql} is not a stored table") from error


def rows_of(reader: Reader, name_sql: str) -> int:
    """Rows of a table, for planning."""
    if (clickhouse := reader.database.clickhouse) is not None:
        return rows_of_table(clickhouse, clickhouse.named(plain_name(name_sql)))
    if reader.database.is_postgres:
        estimate = f"SELECT greatest(reltuples, 0)::bigint AS n FROM pg_class WHERE oid = {literal(name_sql)}::regclass"
        return int(reader.rows(reader.there(estimate))[0][0])
    return int(reader.catalogue(f"SELECT count(*) FROM {name_sql}")[0][0])


def view_sql(reader: Reader, table: exp.Table) -> exp.Select | None:
    """The SELECT behind a view, None for anything else."""
    if not isinstance(table.this, exp.Identifier) or parquet_files(reader, table.sql("duckdb")):
        return None
    text = _postgres_view(reader, table) if reader.database.is_postgres else _duckdb_view(reader, table)
    parsed = sqlglot.parse_one(text, dialect="postgres" if reader.database.is_postgres else "duckdb") if text else None
    if isinstance(parsed, exp.Create) and not isinstance(parsed.this, exp.Table):  # CREATE VIEW v (names, …)
        return None
    select = parsed.expression if isinstance(parsed, exp.Create) else parsed
    return select if isinstance(select, exp.Select) else None


def _duckdb_view(reader: Reader, table: exp.Table) -> str | None:
    names = [part.name for part in table.parts]
    found = reader.catalogue(_VIEWS.format(literal(names[-1])))
    texts = [text for *places, text in found if all(name in places for name in names[:-1])]
    return str(texts[0]) if len(texts) == 1 else None


_VIEWS = (
    "SELECT database_name, schema_name, sql FROM duckdb_views() WHERE lower(view_name) = lower({}) AND NOT internal"
    " AND database_name = current_database() AND schema_name = current_schema()"
)
"""Elsewhere a view reads the tables of its own schema, and a table here may have its name."""


def _postgres_view(reader: Reader, table: exp.Table) -> str | None:
    name = literal(table.sql("postgres"))
    found = reader.rows(
        reader.there(f"SELECT pg_get_viewdef(oid) AS d FROM pg_class WHERE oid = to_regclass({name}) AND relkind = 'v'")
    )
    return str(found[0][0]).rstrip("; ") if found else None
