"""A query as data: its tree with models and media named, and what each name stands for.

In a bound tree ``__media_1`` is a media table, ``__rows_3(image)`` in FROM is call 3 as a table function and
``__scalar_4(image)`` is call 4 as an expression. Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

    from suffice.models.protocol import Model
    from suffice.store.catalogue import MediaTable
    from suffice.store.results import Call

MEDIA_PREFIX = "__media_"
ROWS_PREFIX = "__rows_"
SCALAR_PREFIX = "__scalar_"
BASE_PREFIX = "__base_"


@dataclass(frozen=True)
class BoundCall:
    """A model where a query calls it; `name` is what the query calls it."""

    number: int
    name: str
    model: Model
    call: Call
    written: str


@dataclass(frozen=True)
class Bound:
    """A statement whose names are known; `written` as it was, where that is at hand."""

    tree: exp.Expr
    calls: Mapping[int, BoundCall]
    media: Mapping[str, MediaTable]
    written: str | None = None

    @cached_property
    def text(self) -> str:
        """As SQL; what DuckDB alone can answer stays as it was written."""
        return self.written if self.written is not None and self.is_plain else self.tree.sql("duckdb")

    @property
    def is_plain(self) -> bool:
        """Whether DuckDB alone can answer it."""
        return not self.calls and not self.media


def number_of(name: str, prefix: str) -> int | None:
    """The number in ``__rows_3``; None when `name` is not of that kind."""
    lowered = name.lower()
    return int(lowered[len(prefix) :]) if lowered.startswith(prefix) and lowered[len(prefix) :].isdigit() else None
