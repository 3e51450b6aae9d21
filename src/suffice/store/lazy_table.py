"""A table of another engine as a data set that DuckDB scans: columns are read when, and only if, a query needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from suffice.store.clickhouse import selected

if TYPE_CHECKING:
    from suffice.store.clickhouse import ClickHouse


def lazy_table(clickhouse: ClickHouse, name: str, kinds: Mapping[str, str]) -> Any:
    """To register with DuckDB, which knows data sets by their class and asks them for ``schema`` and ``scanner``."""
    import pyarrow as pa
    import pyarrow.dataset

    place = clickhouse.where(name)
    naive = [
        field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
        for field in clickhouse.table(f"{selected(kinds, kinds)} FROM {place} LIMIT 0").schema
    ]

    class LazyTable(pyarrow.dataset.Dataset):  # type: ignore[misc]
        def __init__(self) -> None:  # a data set of pyarrow's own has an engine to set up
            pass

        @property
        def schema(self) -> pa.Schema:
            return pa.schema(naive)

        def scanner(self, columns: list[str] | None = None, filter: Any = None, **_: object) -> Any:
            tested = "" if filter is None else str(filter)
            named = [
                f.name for f in naive if columns is None or f.name in columns or (tested and f.name in tested)
            ] or [naive[0].name]
            reader = clickhouse.stream(f"{selected(kinds, named)} FROM {place}").cast(
                pa.schema([f for f in naive if f.name in named])
            )
            return pyarrow.dataset.Scanner.from_batches(reader, columns=columns, filter=filter)

    return LazyTable()
