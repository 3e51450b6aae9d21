"""Tables about suffice itself: ``models``, ``store`` and ``problems``, where the user has no table of that name."""

from __future__ import annotations

import json
from typing import Any

from suffice.answer.engine import Engine
from suffice.errors import SufficeError
from suffice.store.catalogue import MediaTable
from suffice.store.upkeep import Upkeep


def system_table(engine: Engine, name: str) -> MediaTable | None:
    """The system table `name`, filled as things are now; None when there is none or the user's own hides it."""
    makers = {"models": _models, "store": _store, "problems": _problems}
    if name not in makers or engine.describe(f'"{name}"'):
        return None
    table = f"temp.suffice_system_{name}"
    columns = makers[name](engine, table)
    return MediaTable(name, table, tuple(columns))


def _store(engine: Engine, table: str) -> list[str]:
    engine.results.flush()
    return _create(engine, table, Upkeep(engine.database).table_sql())


def _problems(engine: Engine, table: str) -> list[str]:
    return _create(engine, table, f"SELECT * FROM {engine.database.schema}.problems ORDER BY noted_at")


def _models(engine: Engine, table: str) -> list[str]:
    import pyarrow as pa

    described = [_describe(engine, name) for name in engine.registry.names()]
    names = ("name", "inputs", "outputs", "returns", "version", "options", "problem")
    rows = pa.table({name: pa.array([one[name] for one in described], pa.string()) for name in names})
    with engine.database.lock:
        engine.database.connection.register("suffice_models", rows)
        columns = _create(engine, table, "SELECT * FROM suffice_models")
        engine.database.connection.unregister("suffice_models")
    return columns


def _describe(engine: Engine, name: str) -> dict[str, Any]:
    """A model's row; one that cannot be set up here (a missing extra) says why."""
    try:
        signature = engine.registry.model(name, {}).signature
    except SufficeError as error:
        return {
            **dict.fromkeys(("inputs", "outputs", "returns", "version", "options")),
            "name": name,
            "problem": str(error),
        }
    return {
        "name": name,
        "inputs": ", ".join(f"{c.name} {c.type}" for c in signature.inputs),
        "outputs": ", ".join(f"{c.name} {c.type}" for c in signature.outputs),
        "returns": signature.returns,
        "version": signature.version,
        "options": json.dumps(dict(signature.options), default=str),
        "problem": None,
    }


def _create(engine: Engine, table: str, select: str) -> list[str]:
    engine.database.rows(f"CREATE OR REPLACE TEMP TABLE {table} AS {select}")
    return [str(row[0]) for row in engine.database.rows(f"DESCRIBE {table}")]
