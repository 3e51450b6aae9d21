"""What sampling needs to know of a stored table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

PART = "__part"
"""Column that a drawn relation adds: the number of the part its row was drawn in, :data:`CERTAIN` for none."""

UNIT = "__unit"
"""Column that a drawn relation adds unless each row is a unit: what was drawn or not drawn as a whole."""

SID = "__sid"
"""Column of a scramble: the number of the row in its random order."""

CERTAIN = -1
"""Part of the rows that are always read and are no units."""

GROUP = "__group"
"""… and of one in DuckDB: which of its row groups the row is in; as one value a row group it takes no block."""

ROWS_PER_GROUP = 122_880
"""Of DuckDB's tables: a part of a row group's column takes as many bytes to read as all of it."""

Range = tuple[float, float]


class UnreadableLayoutError(Exception):
    """The units of a table cannot be told apart or counted; the message says why."""


@dataclass(frozen=True)
class Drawn:
    """Units drawn at random without replacement, none of which was drawn before.

    Attributes:
        relation_sql: stands for the table in FROM; the drawn rows only, with :data:`PART`.
        units: units in part 0, 1, … of this draw, in the order drawn.
        rows: rows read for it.
        beside_sql: stands for the other table of the join, where that is drawn as well.
    """

    relation_sql: str
    units: Sequence[int]
    rows: int
    beside_sql: str = ""


class Source(Protocol):
    """A table as units, of which some at random are cheap to read."""

    @property
    def rows(self) -> int:
        """Visible rows."""
        ...

    @property
    def units(self) -> int:
        """Units that may be drawn."""
        ...

    @property
    def rows_per_unit_max(self) -> int:
        """1 when each row is a unit."""
        ...

    @property
    def pilot_units(self) -> int:
        """Units worth drawing before anything is known of a query."""
        ...

    @property
    def share_max(self) -> float:
        """The largest share of units that is still cheaper to draw than all are to read."""
        ...

    @property
    def method(self) -> str:
        """How units are drawn, for people to read."""
        ...

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What has to hold besides, one clause each."""
        ...

    def column_range(self, column: str) -> Range | None:
        """Numbers that no value of `column` in any unit lies outside of, or None when that is not known."""
        ...

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """Forget what was drawn; equal seeds give equal draws. Only `columns` will be read."""
        ...

    def draw(self, sizes: Sequence[int]) -> Drawn:
        """The next units, one part a size (about that many); the first draw brings the certain rows as well."""
        ...
