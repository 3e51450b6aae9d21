"""Every model result ever computed, kept by content.

A call (model x version x options) has two tables. ``inputs_ID(id, a0, a1, …)`` has a row for each input
that was paid for, also when it gave no rows; ``rows_ID(input_id, row_index, <outputs>)`` has what came out.
Arguments are image references or plain values, both of which carry their own content, so a key never goes stale:
another file, another crop or another upstream model is another argument.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.errors import ModelError, SufficeError
from suffice.models.protocol import IMAGE, Row, Signature
from suffice.store.database import Database, quote

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_FREE_INPUT_ID = 1 << 40
"""Inputs that are a blob have the blob's id; all others are numbered from here."""


@dataclass(frozen=True)
class Call:
    """A model with its options, and where its results are."""

    call_id: int
    signature: Signature
    inputs_table: str
    rows_table: str
    casts: tuple[str, ...]
    """For each output what turns the stored type into the declared one, such as ``::FLOAT[384]``; mostly empty."""

    def outputs_sql(self, alias: str) -> list[str]:
        """The outputs read from ``alias``, each under its own name, as SQL."""
        names = [quote(column.name) for column in self.signature.outputs]
        pairs = zip(names, self.casts, strict=True)
        return [f"{alias}.{name}{cast} AS {name}" if cast else f"{alias}.{name}" for name, cast in pairs]


@dataclass(frozen=True)
class Finished:
    """One input and what the model made of it. `blob_id` is set when the input is a whole blob."""

    arguments: tuple[Any, ...]
    rows: list[Row]
    blob_id: int | None


class ResultStore:
    """Finds and keeps results; every :meth:`write` is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calls: dict[str, Call] = {}
        self._booked: dict[int, list[float]] = {}
        self._arrow_types: dict[str, pa.DataType] = {}

    def call(self, signature: Signature) -> Call:
        """The call of this signature, created on first use."""
        key = call_key(signature)
        if key not in self._calls:
            with self._database.writer.holding(0):
                self._calls[key] = self._find(signature, key) or self._create(signature, key)
        return self._calls[key]

    def _find(self, signature: Signature, key: str) -> Call | None:
        found = self._database.rows(f"SELECT call_id FROM {self._schema}.calls WHERE signature = ?", [key])
        return self._named(int(str(found[0][0])), signature) if found else None

    def _create(self, signature: Signature, key: str) -> Call:
        _check_names(signature)
        rows = self._database.rows
        with self._database.transaction():
            ((highest,),) = rows(f"SELECT coalesce(max(call_id), 0) FROM {self._schema}.calls")
            call = self._named(int(str(highest)) + 1, signature)
            arguments = ", ".join(
                f"a{i} {self._stored_argument(signature, c.type)}" for i, c in enumerate(signature.inputs)
            )
            outputs = ", ".join(f"{quote(c.name)} {self._stored(c.type)}" for c in signature.outputs)
            rows(f"CREATE TABLE {call.inputs_table} (id BIGINT, {arguments})")
            rows(f"CREATE TABLE {call.rows_table} (input_id BIGINT, row_index INTEGER, {outputs})")
            rows(
                f"INSERT INTO {self._schema}.calls"
                " VALUES (?, ?, ?, ?, ?, now()::TIMESTAMP, now()::TIMESTAMP, 0, 0, 0, 0)",
                [call.call_id, signature.name, signature.version, options_json(signature), key],
            )
        return call

    def _named(self, call_id: int, signature: Signature) -> Call:
        types = tuple((sql_type(c.type), self._stored(c.type)) for c in signature.outputs)
        casts = tuple("" if declared == stored else f"::{declared}" for declared, stored in types)
        return Call(call_id, signature, f"{self._schema}.inputs_{call_id}", f"{self._schema}.rows_{call_id}", casts)

    def _stored(self, column_type: str) -> str:
        """What a declared type is in the store; in PostgreSQL, text where it has no such type."""
        declared = sql_type(column_type)
        if not self._database.is_postgres:
            return declared
        if declared.upper() in _WIDER:
            return _WIDER[declared.upper()]
        flat = re.sub(r"\[\d*\]$", "[]", declared)
        return flat if _POSTGRES.fullmatch(flat) else "VARCHAR"

    def _stored_argument(self, signature: Signature, column_type: str) -> str:
        stored, declared = self._stored(column_type), sql_type(column_type)
        if stored == "VARCHAR" != declared.upper():
            raise SufficeError(f"{signature.name}: a PostgreSQL store cannot find arguments of type {declared} again")
        return stored

    @property
    def _schema(self) -> str:
        return self._database.schema

    def write(self, call: Call, finished: Sequence[Finished]) -> list[tuple[Finished, Exception]]:
        """Keep a batch: all of it or, when this process dies, none. What has no place in the store comes back."""
        try:
            self._write(call, finished)
        except _unkeepable() as error:
            if len(finished) == 1:
                return [(finished[0], error)]
            return [refused for one in finished for refused in self.write(call, [one])]
        return []

    def _write(self, call: Call, finished: Sequence[Finished]) -> None:
        free_id = self._free_id(call)  # nobody else adds inputs to this call: the writer's lock is held
        inputs: list[tuple[Any, ...]] = []
        rows: list[tuple[Any, ...]] = []
        for offset, one in enumerate(finished):
            input_id = one.blob_id if one.blob_id is not None else free_id + offset
            inputs.append((input_id, *one.arguments))
            rows.extend((input_id, index, *row) for index, row in enumerate(one.rows))
        signature = call.signature
        input_types = ["BIGINT", *(self._stored(c.type) for c in signature.inputs)]
        row_types = ["BIGINT", "INTEGER", *(sql_type(c.type) for c in signature.outputs)]
        with self._database.transaction() as connection:
            for table, values, types in ((call.inputs_table, inputs, input_types), (call.rows_table, rows, row_types)):
                if values:
                    connection.register("suffice_batch", self._arrow(values, types))
                    try:
                        connection.execute(f"INSERT INTO {table} SELECT * FROM suffice_batch")
                    finally:
                        connection.unregister("suffice_batch")

    def _free_id(self, call: Call) -> int:
        ((highest,),) = self._database.rows(f"SELECT max(id) FROM {call.inputs_table}")
        return max(FIRST_FREE_INPUT_ID, int(str(highest)) + 1 if highest is not None else 0)

    def _arrow(self, values: list[tuple[Any, ...]], types: list[str]) -> pa.Table:
        import pyarrow as pa

        columns = zip(*values, strict=True)
        arrays = [pa.array(list(c), type=self._arrow_type(t)) for c, t in zip(columns, types, strict=True)]
        return pa.table(arrays, names=[f"c{i}" for i in range(len(types))])

    def _arrow_type(self, sql: str) -> pa.DataType:
        if sql not in self._arrow_types:
            with self._database.lock:
                empty = self._database.connection.execute(f"SELECT NULL::{sql} AS c LIMIT 0").to_arrow_table()
            self._arrow_types[sql] = empty.schema.field(0).type
        return self._arrow_types[sql]

    def used(self, call: Call, *, done: int, cached: int, seconds: float, price: float) -> None:
        """Book what a query took from this call, and what it paid for; what only reads is written down later."""
        booked = self._booked.setdefault(call.call_id, [0, 0, 0.0, 0.0])
        for position, value in enumerate((done, cached, seconds, price)):
            booked[position] += value
        if done:
            self.flush()

    def flush(self) -> None:
        """Write down what is booked."""
        if not self._booked:
            return
        with self._database.writer.holding(0):
            while self._booked:
                call_id, (done, cached, seconds, price) = self._booked.popitem()
                self._database.rows(
                    f"UPDATE {self._schema}.calls SET used_at = now()::TIMESTAMP, done = done + ?, cached = cached + ?,"
                    " seconds = seconds + ?, price = price + ? WHERE call_id = ?",
                    [int(done), int(cached), seconds, price, call_id],
                )

    def has_worked(self, call: Call) -> bool:
        """Whether this call ever gave a result."""
        return bool(self._database.rows(f"SELECT 1 FROM {call.inputs_table} LIMIT 1"))

    def seconds_per_input(self, call: Call) -> float:
        """Measured seconds of one input, or the model's own prior before anything ran."""
        found = self._database.rows(f"SELECT done, seconds FROM {self._schema}.calls WHERE call_id = ?", [call.call_id])
        done, seconds = (float(str(value)) for value in found[0])
        return seconds / done if done else call.signature.cost_s


_POSTGRES = re.compile(
    r"(BOOLEAN|SMALLINT|INTEGER|INT|BIGINT|FLOAT|REAL|DOUBLE|VARCHAR|TEXT|DATE|TIME|TIMESTAMP|INTERVAL|BLOB|UUID"
    r"|DECIMAL\(\d+, ?\d+\))(\[\])?",
    re.IGNORECASE,
)
"""Types that PostgreSQL keeps as they are, and lists of them."""

_WIDER = {
    "TINYINT": "SMALLINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20, 0)",
}


def _unkeepable() -> tuple[type[Exception], ...]:
    """What a value raises that the store cannot hold: a lone surrogate, in PostgreSQL a zero byte in a text."""
    import duckdb
    import pyarrow as pa

    return (UnicodeEncodeError, pa.ArrowInvalid, pa.ArrowTypeError, duckdb.InvalidInputException, duckdb.DataError)


def _check_names(signature: Signature) -> None:
    """The outputs are columns of one table, beside two of ours."""
    taken = {"input_id", "row_index"}
    for column in signature.outputs:
        if column.name.lower() in taken:
            raise ModelError(f"model {signature.name!r}: the output column name {column.name!r} is taken already")
        taken.add(column.name.lower())


def sql_type(column_type: str) -> str:
    """The DuckDB type that stores a declared column type."""
    return "VARCHAR" if column_type == IMAGE else column_type


def options_json(signature: Signature) -> str:
    return json.dumps(dict(signature.options), sort_keys=True, default=str)


def call_key(signature: Signature) -> str:
    """What must be equal for two results to be the same result."""
    described = [
        signature.name,
        signature.version,
        options_json(signature),
        [list(c) for c in signature.inputs],
        [list(c) for c in signature.outputs],
        signature.returns,
    ]
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=16).hexdigest()
