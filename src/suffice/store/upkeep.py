"""What the store keeps, in numbers, and how to let go of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from suffice.errors import UsageError, nearest
from suffice.models.http.spend import Spent
from suffice.store.database import Database, literal
from suffice.store.explained import explained
from suffice.store.schema import revising

STORE_COLUMNS = (
    "call_id, model, version, options, inputs, rows, done, cached, hit_rate, seconds, price, created_at, used_at"
)


class Upkeep:
    """Looks at the store and drops parts of it; files and their hashes stay known."""

    def __init__(self, database: Database, on_drop: Callable[[], None] = lambda: None) -> None:
        self._database, self._on_drop = database, on_drop
        self._schema = database.schema

    def table_sql(self) -> str:
        """SQL of one row a call: what is kept of it, and how often it was of use."""
        calls = self._database.rows(f"SELECT call_id FROM {self._schema}.calls ORDER BY call_id")
        counts = [
            f"SELECT {n} AS call_id, (SELECT count(*) FROM {self._schema}.inputs_{n}) AS inputs,"
            f" (SELECT count(*) FROM {self._schema}.rows_{n}) AS rows"
            for (n,) in calls
        ] or ["SELECT NULL::BIGINT AS call_id, 0 AS inputs, 0 AS rows LIMIT 0"]
        return (
            "SELECT c.call_id, c.name AS model, c.version, c.options, k.inputs, k.rows, c.done, c.cached,"
            " c.cached / nullif(c.done + c.cached, 0) AS hit_rate, c.seconds, c.price, c.created_at, c.used_at"
            f" FROM {self._schema}.calls c JOIN ({' UNION ALL '.join(counts)}) k ON k.call_id = c.call_id"
            " ORDER BY c.call_id"
        )

    @explained()
    def summary(self) -> dict[str, Any]:
        """Files, blobs, bytes on disk, and the kept calls."""
        rows = self._database.rows(self.table_sql())
        ((files,),) = self._database.rows(f"SELECT count(*) FROM {self._schema}.paths WHERE hash IS NOT NULL")
        ((blobs,),) = self._database.rows(f"SELECT count(*) FROM {self._schema}.blobs")
        ((problems,),) = self._database.rows(f"SELECT count(*) FROM {self._schema}.problems")
        names = STORE_COLUMNS.split(", ")
        return {
            "files": files,
            "blobs": blobs,
            "problems": problems,
            "bytes": self._bytes(),
            "spent": self._spent(),
            "calls": [dict(zip(names, row, strict=True)) for row in rows],
        }

    @explained()
    def known(self, reference: str) -> list[dict[str, Any]]:
        """What every model said of exactly this picture: model, options, and the rows it gave (perhaps none)."""
        calls = self._database.rows(f"SELECT call_id, name, options FROM {self._schema}.calls ORDER BY call_id")
        found = []
        for call, name, options in calls:
            inputs = self._database.rows(
                f"SELECT id FROM {self._schema}.inputs_{call} WHERE a0::VARCHAR = ?", [reference]
            )
            if inputs:
                rows = self._named_rows(f"{self._schema}.rows_{call}", [i for (i,) in inputs])
                found.append({"model": name, "options": options, "rows": rows})
        return found

    def _named_rows(self, table: str, inputs: list[object]) -> list[dict[str, Any]]:
        names = [str(row[0]) for row in self._database.rows(f"DESCRIBE {table}")]
        rows = self._database.rows(f"SELECT * FROM {table} WHERE list_contains(?, input_id) ORDER BY ALL", [inputs])
        return [
            {name: value for name, value in zip(names, row, strict=True) if name not in ("input_id", "row_index")}
            for row in rows
        ]

    def _spent(self) -> list[dict[str, Any]]:
        """What each model behind HTTP has cost so far."""
        names = ("model", *Spent._fields)
        rows = self._database.rows(f"SELECT {', '.join(names)} FROM {self._schema}.spent ORDER BY model")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _bytes(self) -> int:
        """What the store takes on disk; 0 in memory."""
        if self._database.is_postgres:
            tables = (
                "SELECT sum(pg_total_relation_size(oid))::BIGINT AS n FROM pg_class"
                " WHERE relkind = 'r' AND relnamespace = 'suffice'::regnamespace"
            )
            ((size,),) = self._database.rows(f"SELECT n FROM postgres_query('store', {literal(tables)})")
            return int(str(size or 0))
        catalog = self._schema.rpartition(".")[0].strip('"').replace('""', '"')
        files = self._database.rows("SELECT path FROM duckdb_databases() WHERE database_name = ?", [catalog])
        return sum(os.path.getsize(str(path)) for (path,) in files if path is not None)

    @explained()
    def drop(self, *, model: str | None = None, unused_days: float | None = None, file: str | None = None) -> int:
        """Drop results; several conditions must hold together. The number of inputs that were dropped."""
        if unused_days is not None and not unused_days >= 0:
            raise UsageError(f"unused_days counts days, it cannot be {unused_days:g}")
        calls = self._calls(model, unused_days)
        self._on_drop()
        with revising(self._database, drops=True):
            return sum(self._drop_file(call, file) if file else self._drop_call(call) for call in calls)

    def _calls(self, model: str | None, unused_days: float | None) -> list[int]:
        rows = self._database.rows(
            f"SELECT call_id, name, epoch(now()::TIMESTAMP - used_at) / 86400 FROM {self._schema}.calls"
        )
        if model is not None and not any(name == model for _, name, _ in rows):
            raise UsageError(
                f"the store has no results of {model!r}{nearest(model, [str(name) for _, name, _ in rows])}"
            )
        return [
            int(str(call))
            for call, name, age in rows
            if model in (None, name) and (unused_days is None or float(str(age)) >= unused_days)
        ]

    def _drop_call(self, call: int) -> int:
        ((inputs,),) = self._database.rows(f"SELECT count(*) FROM {self._schema}.inputs_{call}")
        for table in ("inputs", "rows"):
            self._database.rows(f"DELETE FROM {self._schema}.{table}_{call}")
        return int(str(inputs))

    def _drop_file(self, call: int, file: str) -> int:
        """Inputs whose first argument is a picture of `file` (crops of it included)."""
        hashes = self._database.rows(
            f"SELECT DISTINCT hash FROM {self._schema}.paths WHERE path = ? AND hash IS NOT NULL",
            [os.path.abspath(file)],
        )
        if not hashes:
            raise UsageError(f"the store knows no file {file!r}")
        dropped = 0
        for (file_hash,) in hashes:
            condition = f"a0::VARCHAR LIKE '___:{file_hash}%'"
            chosen = f"(SELECT id FROM {self._schema}.inputs_{call} WHERE {condition})"
            ((count,),) = self._database.rows(f"SELECT count(*) FROM {chosen}")
            self._database.rows(f"DELETE FROM {self._schema}.rows_{call} WHERE input_id IN {chosen}")
            self._database.rows(f"DELETE FROM {self._schema}.inputs_{call} WHERE {condition}")
            dropped += int(str(count))
        return dropped
