"""Whether a linear sum, or a fraction of two, surely lies between two values: proved for every sample size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from suffice.answer.block_sums import BlockSums, Floats
from suffice.estimate.block_bet import BlockDraw, excludes
from suffice.sql.aggregate.fraction import Fraction, Linear

ASSUMPTIONS = ("finite-sample: blocks drawn uniformly at random; the column ranges of the catalogue hold",)


@dataclass(frozen=True)
class BlockRanges:
    """Known (low, high) of the sum of each piece over one block [pieces]; NaN if unknown."""

    low: Floats
    high: Floats


@dataclass(frozen=True)
class FiniteTest:
    """Tests of one fraction on one draw, the blocks taken in the random order `order`."""

    fraction: Fraction
    sums: BlockSums
    ranges: BlockRanges
    order: np.ndarray

    def lies_between(self, group: int, below: float, above: float, delta: float, size: int) -> bool:
        """Whether the value for `group` surely does, wrongly with probability at most `delta`; `size` blocks a bet."""
        mine = np.flatnonzero(self.sums.group == group)
        a, a_range, known_a = self._part(self.fraction.numerator, group, mine)
        if self.fraction.is_linear:  # the mean over all blocks, times their number
            blocks = float(len(self.sums.before) + self.sums.left)
            factor = self.fraction.denominator[None] / blocks
            below, above = sorted((below * factor, above * factor))
            b, b_range, known_b = np.ones_like(a), (1.0, 1.0), float(len(self.sums.before))
        else:
            b, b_range, known_b = self._part(self.fraction.denominator, group, mine)
        if b_range[0] < 0 or known_b < 0 or not below < above:
            return False
        draw = BlockDraw(a, b, a_range, b_range, self.sums.left, known_a, known_b)
        return excludes(draw, size, below, above, delta)

    def _part(self, linear: Linear, group: int, mine: np.ndarray) -> tuple[Floats, tuple[float, float], float]:
        """Per block [drawn], its range, and the known rest."""
        x = np.zeros(len(self.sums.drawn))
        low = high = 0.0
        known = linear.get(None, 0.0)
        for piece, weight in linear.items():
            if piece is None:
                continue
            x[self.sums.block[mine]] += weight * self.sums.values[piece, mine]
            ends = sorted((weight * self.ranges.low[piece], weight * self.ranges.high[piece]))
            low, high = low + ends[0], high + ends[1]
            known += weight * self.sums.known[piece, group]
        if math.isfinite(low) and math.isfinite(high):
            x = np.clip(x, low, high)  # sums of doubles may round past the end
        return x[self.order], (low, high), float(known)
