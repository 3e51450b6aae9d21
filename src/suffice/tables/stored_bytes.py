"""How many bytes some columns of a table take where they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.store.database import literal
from suffice.tables.clickhouse_tables import column_bytes
from suffice.tables.fingerprint import parquet_files
from suffice.tables.reader import Reader, plain_name

_BLOCK_BYTES = 262_144


def stored_bytes(reader: Reader, name_sql: str, columns: Sequence[str]) -> int:
    """On disk; 0 when the table is not there (yet)."""
    if (clickhouse := reader.database.clickhouse) is not None:
        return column_bytes(clickhouse, clickhouse.named(plain_name(name_sql)), columns)
    if reader.database.is_postgres:
        size = f"SELECT pg_relation_size({literal(name_sql)}::regclass) AS n"
        return int(reader.rows(reader.there(size))[0][0])
    if (files := parquet_files(reader, name_sql)) and reader.database.lake is not None:
        return _parquet([reader.database.lake.open(file) for file in files], columns)
    found = reader.rows(
        f"SELECT count(DISTINCT block_id) FROM pragma_storage_info({literal(name_sql)})"
        f" WHERE persistent AND column_name IN ({', '.join(map(literal, columns)) or 'NULL'})"
    )
    return int(found[0][0]) * _BLOCK_BYTES


def _parquet(files: Sequence[Any], columns: Sequence[str]) -> int:
    import pyarrow.parquet as pq

    total = 0
    for opened in files:
        with opened:
            footer = pq.read_metadata(opened)
        for i in range(footer.num_row_groups):
            group = footer.row_group(i)
            chunks = (group.column(j) for j in range(group.num_columns))
            total += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in columns)
    return total
