"""Consecutive units of an order that has nothing to do with their values: a random sample that grows at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

Run = tuple[int, int, int]
"""(part, first unit, unit after the last)"""

_GROUPS_LEAST = 32


@dataclass
class GrowingRun:
    """Attributes:
    first, units: the number of the first unit that may be drawn, and how many there are.
    share_max, pilot_units: as of :class:`suffice.tables.source.Source`.
    group: units that are read together, whichever of them are wanted; numbered from 0.
    columns: what to read.
    """

    first: int
    units: int
    share_max: float
    pilot_units: int
    group: int = 1
    columns: list[str] = field(default_factory=list)
    _position: int = 0

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """Where `seed` says, so that the run never reaches the end of the order."""
        last = max(0, int(self.units * (1 - self.share_max)) - self.pilot_units)
        self._position = self._whole(self.first + int(np.random.default_rng(seed).integers(last + 1)))
        self.columns = list(columns)

    def take(self, sizes: Sequence[int]) -> list[Run]:
        """The next units, a part each of about `sizes`; large ones, and the last of many, end where a group does."""
        found = []
        for part, size in enumerate(sizes):
            end = self._position + size
            if size >= self.group or (part == len(sizes) - 1 and sum(sizes) >= self.group):
                end = self._whole(end)
            found.append((part, self._position, end))
            self._position = end
        return found

    def _whole(self, position: int) -> int:
        """The next end of a group; in a table of few groups, where it would hardly matter, `position` itself."""
        if self.units < _GROUPS_LEAST * self.group:
            return position
        return min(-(-position // self.group) * self.group, self.first + self.units)


def sizes_of(runs: Sequence[Run]) -> list[int]:
    """Units of each part."""
    return [end - first for _, first, end in runs]
