"""What sampling needs to know of a stored table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

BLOCK = "__block"
"""Name of the column a sampled relation adds: the number of the block its row lives in."""

DRAWN = "__drawn"
"""Name of the other added column, to be read (``MAX``) by every query over the relation, else the draw may change."""


class UnreadableLayoutError(Exception):
    """The blocks of a table cannot be told apart or counted; the message says why."""


@dataclass(frozen=True)
class Drawn:
    """Blocks drawn at random, each with the same probability, none twice.

    Attributes:
        relation_sql: stands for the table in FROM: its columns, :data:`BLOCK` and :data:`DRAWN`; the drawn rows only.
        blocks: numbers of the drawn blocks [drawn], ascending.
        rows: visible rows in each [drawn].
    """

    relation_sql: str
    blocks: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]


class BlockSource(Protocol):
    """A table cut into blocks, of which a random set is cheap to read."""

    @property
    def rows(self) -> int:
        """Visible rows."""
        ...

    @property
    def blocks(self) -> int:
        """Blocks with at least one visible row."""
        ...

    @property
    def rows_per_block_max(self) -> int: ...

    @property
    def pilot_blocks(self) -> int:
        """Blocks worth drawing before anything is known of a query."""
        ...

    @property
    def share_max(self) -> float:
        """The largest share of blocks that is still cheaper to draw than all are to read."""
        ...

    def draw(self, share: float, seed: int, columns: list[str]) -> Drawn:
        """A random sample of about that share of blocks, with these columns. Equal seeds give equal draws."""
        ...

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What has to hold besides, one clause each."""
        ...

    def coarser(self, factor: int) -> BlockSource:
        """The same rows in blocks of `factor` (a power of two) of these, or itself where blocks cannot be joined."""
        ...

    def column_range(self, column: str) -> tuple[float, float] | None:
        """Numbers that no value of `column` lies outside of, or None when that is not known."""
        ...
