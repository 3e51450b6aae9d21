"""Student intervals for formulas of block sums, and the checks without which they are not offered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from suffice.answer.block_sums import BlockSums, Floats
from suffice.estimate.block_total import Moments, half_widths, is_near_normal
from suffice.estimate.unseen_values import is_range_reached, unseen_allowance
from suffice.sql.aggregate.formula import Formula

Bools = npt.NDArray[np.bool_]

BLOCKS_WITH_ROWS_MIN = 30
"""Drawn blocks a group must have rows in before a limit theorem is applied to it."""

ASSUMPTIONS = (
    "asymptotic: sums over blocks not drawn vary as those over drawn blocks do (Student's t; skew and reach checked)",
    "the few largest values are spread over blocks like the others; none lies outside the catalogue's column ranges",
)


@dataclass(frozen=True)
class PieceRanges:
    """Known (low, high) of what a row of the sampled table adds to each piece, 0 included [pieces]; NaN if unknown."""

    low: Floats
    high: Floats


class Linearised:
    """One output of one draw: its value, and each block's share in its error (Woodruff 1971)."""

    def __init__(self, formula: Formula, sums: BlockSums, ranges: PieceRanges) -> None:
        self.formula, self.sums = formula, sums
        self.estimate, self.gradient = formula.value_and_gradient(sums.totals)
        with np.errstate(all="ignore"):
            entries = (self.gradient[:, sums.group] * sums.values).sum(axis=0)
        powers = [sums.by_group(entries**k) for k in (1, 2, 3)]
        self.moments = Moments(len(sums.drawn), *powers)
        self._limits = self._reach(ranges)

    def _reach(self, ranges: PieceRanges) -> tuple[Floats, Floats, Floats, Floats]:
        seen_low, seen_high = -np.fmin(self.sums.least, 0.0), np.fmax(self.sums.greatest, 0.0)
        shape = self.gradient.shape
        low = np.broadcast_to(np.maximum(-ranges.low, 0.0)[:, None], shape)
        high = np.broadcast_to(np.maximum(ranges.high, 0.0)[:, None], shape)
        return low, high, seen_low, seen_high

    def interval(self, delta: float, n: int | None = None) -> tuple[Floats, Floats]:
        """(low, high) [groups]; with `n`, as predicted for a draw of that many blocks."""
        below, above = half_widths(self.moments, self.sums.left, 0.9 * delta, n)
        down, up = self._allowances(0.1 * delta, n)
        return self.estimate - below - down, self.estimate + above + up

    def _allowances(self, delta: float, n: int | None) -> tuple[Floats, Floats]:
        """What unseen values could take from and add to the output."""
        low, high, seen_low, seen_high = self._limits
        drawn = len(self.sums.drawn)
        rows_drawn = self.sums.rows * (n or drawn) / max(drawn, 1)
        rows = int(self.sums.rows * self.sums.scale)
        add = unseen_allowance(high, seen_high, int(rows_drawn), rows, delta / 2)
        take = unseen_allowance(low, seen_low, int(rows_drawn), rows, delta / 2)
        with np.errstate(all="ignore"):
            up = np.maximum(self.gradient, 0) * add + np.maximum(-self.gradient, 0) * take
            down = np.maximum(self.gradient, 0) * take + np.maximum(-self.gradient, 0) * add
        return down.sum(axis=0), up.sum(axis=0)

    def doubt(self, n: int | None = None) -> Bools:
        """Groups [groups] for which the limit theorem is not trusted; with `n`, after a draw of that many blocks."""
        growth = (n or len(self.sums.drawn)) / max(len(self.sums.drawn), 1)
        few = self.sums.blocks_with_rows() * growth < BLOCKS_WITH_ROWS_MIN
        return few | ~is_near_normal(self.moments, n) | self._range_doubt

    @cached_property
    def _range_doubt(self) -> Bools:
        used = sorted(self.formula.pieces())
        low, high, seen_low, seen_high = (limit[used] for limit in self._limits)
        seen = np.fmax(seen_low, seen_high)
        reached = is_range_reached(low, seen) & is_range_reached(high, seen)  # NaN, unknown, compares false
        result: Bools = ~np.all(reached, axis=0)
        return result
