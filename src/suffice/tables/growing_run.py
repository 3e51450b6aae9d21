"""Units of an order that has nothing to do with their values, stretch after stretch: a random sample that grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

Run = tuple[int, int, int]
"""(part, first unit, unit after the last)"""

GROUPS_LEAST = 32
"""Of a table, so that it hardly matters where in one a run begins or ends."""


@dataclass
class GrowingRun:
    """Attributes:
    first, units: the number of the first unit that may be drawn, and how many there are.
    share_max, pilot_units: as of :class:`suffice.tables.source.Source`.
    group: units that are read together, whichever of them are wanted; numbered from 0.
    head, head_group: units before `head` are drawn before all others, and read `head_group` together; 0 for none.
    columns: what to read.
    """

    first: int
    units: int
    share_max: float
    pilot_units: int
    group: int = 1
    head: int = 0
    head_group: int = 1
    columns: list[str] = field(default_factory=list)
    _stretches: list[tuple[int, int, int]] = field(default_factory=list)  # first unit, unit after the last, group

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """Where `seed` says: in the head, all of which comes first, then in the rest, so as never to reach its end."""
        rng, end = np.random.default_rng(seed), self.first + self.units
        group = self.group if self.units >= GROUPS_LEAST * self.group else 1
        last = max(0, int(self.units * (1 - self.share_max)) - self.pilot_units)
        rest = _whole(max(self.first, self.head) + int(rng.integers(last + 1)), group, end)
        self._stretches = [(rest, end, group)]
        if self.head:
            middle = int(rng.integers(self.first, self.head - self.head_group + 1))
            middle = _whole(middle, self.head_group, self.head)
            self._stretches[:0] = [(middle, self.head, self.head_group), (self.first, middle, self.head_group)]
        self.columns = list(columns)

    def take(self, sizes: Sequence[int]) -> list[Run]:
        """The next units, a part each of about `sizes`; large ones, and the last of many, end where a group does."""
        found: list[Run] = []
        for part, size in enumerate(sizes):
            found += self._part(part, size, max(size, sum(sizes) if part == len(sizes) - 1 else 0))
        return found

    def _part(self, part: int, size: int, together: int) -> list[Run]:
        found: list[Run] = []
        while size > 0 and self._stretches:
            first, last, group = self._stretches.pop(0)
            end = _whole(first + size, group if together >= group else 1, last)
            found += [(part, first, end)] if end > first else []
            size -= last - first
            if end < last:
                self._stretches.insert(0, (end, last, group))
        return found


def _whole(position: int, group: int, last: int) -> int:
    """The next end of a group, `last` at most."""
    return min(-(-position // group) * group, last)


def sizes_of(runs: Sequence[Run]) -> list[int]:
    """Units of each part."""
    parts = dict.fromkeys(part for part, _, _ in runs)
    return [sum(end - first for each, first, end in runs if each == part) for part in parts]
