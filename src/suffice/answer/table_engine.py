"""Where a sampled query runs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa

from suffice.tables.source import BlockSource


class TableEngine(Protocol):
    """A database that holds the tables of a query."""

    @property
    def dialect(self) -> str:
        """Its name in sqlglot."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What it raises for a statement it cannot run."""
        ...

    def execute(self, sql: str) -> pa.Table:
        """Run a query."""
        ...

    def describe(self, sql: str) -> tuple[list[str], list[str]]:
        """(names, DuckDB types) of the columns of a query, without running it."""
        ...

    def columns(self, name_sql: str) -> list[str]: ...

    def view_sql(self, name_sql: str) -> str | None:
        """The definition of a view, None for anything else."""
        ...

    def source(self, name_sql: str) -> BlockSource:
        """A stored table as blocks; raises :class:`suffice.tables.source.UnreadableLayoutError` when it has none."""
        ...

    def key_rows_max(self, name_sql: str, columns: tuple[str, ...]) -> int:
        """The most rows of a table that have equal values in `columns` (all rows when there are none)."""
        ...

    def compose(self, sql: str, name: str, estimates: pa.Table) -> pa.Table:
        """Run DuckDB SQL over `estimates` under `name`."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """One state of the database for all queries inside."""
        ...
