"""Everything an answer needs at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suffice.errors import SufficeError
from suffice.models.registry import Registry
from suffice.store.catalogue import Catalogue
from suffice.store.database import Database
from suffice.store.results import ResultStore


@dataclass
class Engine:
    """The parts of a connection. `show_progress` None means: when stderr is a terminal."""

    database: Database
    catalogue: Catalogue
    results: ResultStore
    registry: Registry
    show_progress: bool | None = None
    complete: dict[tuple[object, ...], int] = field(default_factory=dict)
    """Needs found complete, and how many inputs they had. Results are only ever added, so they stay so; over tables
    of the user, which may change, nothing is remembered. :meth:`forget` when results are dropped."""

    def forget(self) -> None:
        self.complete.clear()

    def describe(self, relation_sql: str) -> Mapping[str, str]:
        """Columns and types of a relation; empty when it stands only beside others."""
        import duckdb

        try:
            rows = self.database.rows(f"DESCRIBE SELECT * FROM {relation_sql}")
        except duckdb.Error:
            return {}
        return {str(row[0]).lower(): str(row[1]) for row in rows}


class InterruptedWorkError(SufficeError):
    """Ctrl-C: the answer is not there, everything computed until then is kept."""
