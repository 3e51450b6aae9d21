"""What a sampled query brought back: the value of each piece, in each drawn block, for each group."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
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
        self.types = [table.schema.field(f"__k{i}").type for i in range(self.keys)]
        codes = np.zeros(table.num_rows, np.int64)
        for i in range(self.keys):
            coded = table.column(f"__k{i}").combine_chunks().dictionary_encode(null_encoding="encode")
            codes = codes * (len(coded.dictionary) + 1) + coded.indices.to_numpy(zero_copy_only=False)
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        rows = table.select([f"__k{i}" for i in range(self.keys)]).take(first)
        tuples = list(zip(*(c.to_pylist() for c in rows.columns), strict=True))
        numbers = np.array([self.index.setdefault(t, len(self.index)) for t in tuples], np.int64)
        result: Ints = numbers[inverse]
        return result


@dataclass(frozen=True)
class BlockSums:
    """One draw of blocks, given what earlier draws already know.

    Attributes:
        drawn: numbers of the blocks drawn, ascending [drawn].
        rows: visible rows in them.
        left: blocks that earlier draws had not read, of which these were drawn at random.
        block: block of each entry [entries], as a position in `drawn`.
        group: group of each entry [entries].
        values: sum of each piece [pieces, entries].
        known: totals of each piece in each group over blocks read earlier [pieces, groups].
        least, greatest: row values seen, earlier draws included [pieces, groups]; NaN when none.
        before: blocks read by earlier draws.
    """

    drawn: Ints
    rows: int
    left: int
    block: Ints
    group: Ints
    values: Floats
    known: Floats
    least: Floats
    greatest: Floats
    before: Ints

    @property
    def groups(self) -> int:
        return int(self.known.shape[1])

    @property
    def scale(self) -> float:
        """Blocks each drawn block stands for."""
        return self.left / max(len(self.drawn), 1)

    def by_group(self, entries: Floats) -> Floats:
        """Sum over entries, per group [groups]."""
        return np.bincount(self.group, weights=entries, minlength=self.groups).astype(np.float64)

    @cached_property
    def sums(self) -> Floats:
        """Totals of the drawn blocks alone [pieces, groups]."""
        return np.array([self.by_group(v) for v in self.values]).reshape(self.known.shape)

    @cached_property
    def totals(self) -> Floats:
        """Estimated totals over the table [pieces, groups]."""
        return self.known + self.scale * self.sums

    def blocks_with_rows(self) -> Ints:
        """Drawn blocks in which each group has rows [groups]."""
        return np.bincount(self.group, minlength=self.groups).astype(np.int64)


def first_draw(table: pa.Table, drawn: Ints, rows: int, blocks: int, pieces: int, groups: Groups) -> BlockSums:
    """From the result of a block query with columns ``__block, __k…, __p…, __l…, __h…``."""
    group = groups.number(table)
    count = len(groups.index)
    values = np.array([_floats(table, f"__p{i}", 0.0) for i in range(pieces)]).reshape(pieces, table.num_rows)
    block = np.searchsorted(drawn, _floats(table, "__block", -1.0).astype(np.int64))
    least, greatest = np.full((2, pieces, count), np.nan)
    for i in range(pieces):
        if f"__l{i}" in table.column_names:
            np.fmin.at(least[i], group, _floats(table, f"__l{i}", np.nan))
            np.fmax.at(greatest[i], group, _floats(table, f"__h{i}", np.nan))
        else:  # a count: each row adds 1
            least[i] = greatest[i] = np.where(np.bincount(group, weights=values[i], minlength=count) > 0, 1.0, np.nan)
    return BlockSums(
        drawn, rows, blocks, block, group, values, np.zeros((pieces, count)), least, greatest, np.zeros(0, np.int64)
    )


def next_draw(earlier: BlockSums, later: BlockSums, rows_per_block: Ints, factor: int) -> BlockSums:
    """`later` (an independent draw of its own) without the blocks of `earlier`, whose sums become known.

    `factor` of the earlier blocks make one of the later.
    """
    before = np.unique(np.concatenate([earlier.before, earlier.drawn]) // factor)
    fresh = ~np.isin(later.drawn, before)
    position = np.cumsum(fresh) - 1
    keep = fresh[later.block]
    known = np.zeros_like(later.known)
    known[:, : earlier.groups] = earlier.known + earlier.sums
    least, greatest = later.least.copy(), later.greatest.copy()
    least[:, : earlier.groups] = np.fmin(least[:, : earlier.groups], earlier.least)
    greatest[:, : earlier.groups] = np.fmax(greatest[:, : earlier.groups], earlier.greatest)
    return BlockSums(
        drawn=later.drawn[fresh],
        rows=int(rows_per_block[fresh].sum()),
        left=later.left - len(before),
        block=position[later.block[keep]],
        group=later.group[keep],
        values=later.values[:, keep],
        known=known,
        least=least,
        greatest=greatest,
        before=before,
    )


def _floats(table: pa.Table, name: str, missing: float) -> Floats:
    column = table.column(name)
    values: Floats = column.combine_chunks().to_numpy(zero_copy_only=False).astype(np.float64)
    if column.null_count:
        values[np.asarray(column.is_null())] = missing
    return values
