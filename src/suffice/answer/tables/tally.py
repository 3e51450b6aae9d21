"""What the draws brought back: sums over units, for each part, group and piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.numbers_of import numbers_of
from suffice.sql.aggregate.unit_query import Pair
from suffice.tables.source import CERTAIN, PART

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass
class Groups:
    """Numbers group keys in the order they are met."""

    keys: int
    index: dict[tuple[Any, ...], int] = field(default_factory=dict)
    types: list[pa.DataType] = field(default_factory=list)

    def number(self, table: pa.Table) -> Ints:
        """Group of each row of `table`, whose columns ``__k0`` … are keys."""
        if self.keys == 0:
            self.index.setdefault((), 0)
            return np.zeros(table.num_rows, np.int64)
        columns = [table.column(f"__k{i}") for i in range(self.keys)]
        self.types = [column.type for column in columns]
        tuples = zip(*(column.to_pylist() for column in columns), strict=True)
        return np.array([self.index.setdefault(t, len(self.index)) for t in tuples], np.int64)

    def number_all(self) -> None:
        """The one group of a statement without keys is there, even where no row is."""
        self.index.setdefault((), 0)

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Part:
    """Of one part; `units` None for the rows that are always read.

    Attributes:
        met: units with rows [groups].
        sums, low, high: of units, those without rows as 0 [pieces, groups].
        products: sums of products of two pieces' units [pieces, pieces, groups]; 0 where nobody asked.
    """

    units: int | None
    met: Ints
    sums: Floats
    low: Floats
    high: Floats
    products: Floats


class Tally:
    """All parts so far, added up.

    Args:
        low, high: [pieces] what one unit adds at least and at most, for draws that do not say what was seen.

    Attributes:
        units: drawn so far.
        parts: taken so far.
    """

    def __init__(self, low: Floats, high: Floats, pairs: Sequence[Pair], keys: int) -> None:
        self.low, self.high, self.pairs, self.groups = low, high, pairs, Groups(keys)
        pieces = self.pieces = len(low)
        self.units = self.parts = 0
        self._met = np.zeros(0, np.int64)
        self._known, self._drawn = np.zeros((2, pieces, 0))
        self._products = np.zeros((pieces, pieces, 0))

    def read(self, table: pa.Table, units: Sequence[int]) -> list[Part]:
        """The parts of one draw, which `table` has one after the other, the always-read rows first; groups get their
        numbers in the order of the rows."""
        part = numbers_of(table, PART)
        group = self.groups.number(table)
        found = [self._part(table, np.flatnonzero(part == i), group, n) for i, n in enumerate(units)]
        certain = np.flatnonzero(part == CERTAIN)
        return ([self._part(table, certain, group, None)] if len(certain) else []) + found

    def _part(self, table: pa.Table, rows: Ints, group: Ints, units: int | None) -> Part:
        shape, mine = (self.pieces, len(self.groups)), group[rows]
        met = np.zeros(shape[1], np.int64)
        met[mine] = numbers_of(table, "__m")[rows]
        sums = self._pieces(table, "s", rows, mine)
        if "__l0" in table.column_names:
            low, high = (self._pieces(table, letter, rows, mine) for letter in "lh")
        else:
            low, high = (np.tile(end[:, None], shape[1]) for end in (self.low, self.high))
        products = np.zeros((shape[0], *shape))
        for i, j in self.pairs:
            products[i, j, mine] = products[j, i, mine] = numbers_of(table, f"__q{i}_{j}")[rows]
        everywhere = met == (units or 0)
        low, high = np.where(everywhere, low, np.minimum(low, 0.0)), np.where(everywhere, high, np.maximum(high, 0.0))
        return Part(units, met, sums, low, high, products)

    def _pieces(self, table: pa.Table, letter: str, rows: Ints, mine: Ints) -> Floats:
        values = np.zeros((self.pieces, len(self.groups)))
        for i in range(self.pieces):
            values[i, mine] = numbers_of(table, f"__{letter}{i}")[rows]
        return values

    def add(self, part: Part) -> None:
        """Take a part of :meth:`read`."""
        self.parts += 1
        self._met = self.met() + _wide(part.met, (len(self.groups),))
        self._known = self.known() + self._widened(part.sums)
        if part.units is not None:
            self.units += part.units
            self._drawn = self.drawn() + self._widened(part.sums)
            self._products = self.products() + _wide(part.products, (self.pieces, self.pieces, len(self.groups)))

    def known(self) -> Floats:
        """Sums over everything read so far [pieces, groups]."""
        return self._widened(self._known)

    def drawn(self) -> Floats:
        """Sums over the units drawn so far [pieces, groups]."""
        return self._widened(self._drawn)

    def products(self) -> Floats:
        """Sums of products over the units drawn so far [pieces, pieces, groups]."""
        return np.asarray(_wide(self._products, (self.pieces, self.pieces, len(self.groups))))

    def met(self) -> Ints:
        """Units (or always-read rows) with rows of each group [groups]."""
        return np.asarray(_wide(self._met, (len(self.groups),)))

    def groups_met(self) -> int:
        """Groups with rows in the parts so far: numbered before all others, in the order of the parts."""
        return int(np.count_nonzero(self._met)) if self.groups.keys else 1

    def _widened(self, values: Floats) -> Floats:
        return np.asarray(_wide(values, (self.pieces, len(self.groups))))

    def widened(self, part: Part) -> Part:
        """`part` with groups that were met later."""
        count = len(self.groups)
        shape = (self.pieces, count)
        sums, low, high = (_wide(values, shape) for values in (part.sums, part.low, part.high))
        return Part(part.units, _wide(part.met, (count,)), sums, low, high, _wide(part.products, (self.pieces, *shape)))


def _wide(values: Any, shape: tuple[int, ...]) -> Any:
    """With zeros for groups met later."""
    if values.shape == shape:
        return values
    return np.pad(values, [(0, wanted - there) for wanted, there in zip(shape, values.shape, strict=True)])
