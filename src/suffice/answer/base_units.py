"""Tables of the user as units: a relation that models read becomes one whose rows are numbered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from suffice.answer.engine import Engine
from suffice.sql.plan import MEDIA_PREFIX, Bound, number_of
from suffice.sql.units.thread_unit import UNIT
from suffice.store.catalogue import MediaTable
from suffice.store.database import quote

if TYPE_CHECKING:
    from sqlglot import exp

NUMBER = UNIT + "_number"


def with_numbered_tables(engine: Engine, bound: Bound, kind: Literal["TABLE", "VIEW"] = "TABLE") -> Bound:
    """`bound` with every table or table function of the user replaced by one whose rows are numbered, when no media is
    read: a copy, or a view, which costs nothing and numbers rows anew each time it is read."""
    from sqlglot import exp

    if bound.media:
        return bound
    tree, media = bound.tree.copy(), dict(bound.media)
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if _is_of_user(table, ctes):
            placeholder = f"{MEDIA_PREFIX}{len(media) + 1}"
            media[placeholder] = _numbered(engine, table, f"suffice_base_{kind.lower()}_{len(media) + 1}", kind)
            _become(table, placeholder)
    return replace(bound, tree=tree, media=media)


def _is_of_user(table: exp.Table, ctes: set[str]) -> bool:
    is_known = number_of(table.name, MEDIA_PREFIX) is not None or table.name.lower().startswith("__")
    is_cte = table.name.lower() in ctes and not table.db
    return not is_known and not is_cte and not table.args.get("sample") and not _reads_columns(table)


def _reads_columns(table: exp.Table) -> bool:
    from sqlglot import exp

    return any(table.this.find_all(exp.Column)) or (table.this is not None and table.this.name.startswith("__"))


def _numbered(engine: Engine, table: exp.Table, name: str, kind: str) -> MediaTable:
    bare = table.copy()
    for key in ("alias", "joins", "laterals"):
        bare.set(key, None)
    engine.database.rows(
        f"CREATE OR REPLACE TEMP {kind} {name} AS"
        f" SELECT *, row_number() OVER () AS {quote(NUMBER)} FROM {bare.sql('duckdb')}"
    )
    columns = [str(row[0]).lower() for row in engine.database.rows(f"DESCRIBE {name}")]
    return MediaTable("table", name, tuple(columns), None)


def _become(table: exp.Table, placeholder: str) -> None:
    from sqlglot import exp

    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name or "t"))
    for key in ("db", "catalog"):
        table.set(key, None)
    table.set("this", exp.to_identifier(placeholder))
    table.set("alias", alias)
