"""Intervals proved for every sample size, for a linear sum or a fraction of two, one group at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from suffice.answer.block_sums import BlockSums, Floats
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_mean import BoundedMean
from suffice.sql.aggregate.fraction import Fraction, Linear

ASSUMPTIONS = ("finite-sample: blocks drawn uniformly at random, column ranges of the catalogue hold",)


@dataclass(frozen=True)
class BlockRanges:
    """Known (low, high) of the sum of each piece over one block [pieces]; NaN if unknown."""

    low: Floats
    high: Floats


def certify_finite(
    fraction: Fraction, sums: BlockSums, group: int, ranges: BlockRanges, confidence: float, seed: int
) -> tuple[float, float]:
    """(low, high) of `fraction` over the whole table; infinite ends where nothing is proved."""
    blocks = _Blocks(sums, group, ranges, np.random.default_rng([seed, group]).permutation(len(sums.drawn)))
    if fraction.is_linear:
        low, high = blocks.total(fraction.numerator, confidence)
        return low / fraction.denominator[None], high / fraction.denominator[None]
    return _invert(fraction, blocks, confidence)


class _Blocks:
    """The blocks of one draw in random order, for one group."""

    def __init__(self, sums: BlockSums, group: int, ranges: BlockRanges, order: np.ndarray) -> None:
        mine = sums.group == group
        self.values = np.zeros((len(sums.values), len(sums.drawn)))
        self.values[:, sums.block[mine]] = sums.values[:, mine]
        self.values = self.values[:, order]
        self.known, self.left, self.ranges = sums.known[:, group], sums.left, ranges

    def total(self, linear: Linear, confidence: float) -> tuple[float, float]:
        """(low, high) of a linear sum; both infinite when a range it needs is not known."""
        low = high = known = linear.get(None, 0.0)
        low = high = 0.0
        x = np.zeros(self.values.shape[1])
        for piece, weight in linear.items():
            if piece is None:
                continue
            ends = sorted((weight * self.ranges.low[piece], weight * self.ranges.high[piece]))
            low, high, known = low + ends[0], high + ends[1], known + weight * self.known[piece]
            x += weight * self.values[piece]
        if not low < high:
            return (known, known) if low == high else (-math.inf, math.inf)
        mean = BoundedMean(self.left, low, high, confidence, Aim(horizon=max(len(x), 1)))
        mean.observe(np.clip(x, low, high))  # sums of doubles may round past the end
        interval = mean.interval()
        return known + self.left * interval.low, known + self.left * interval.high


def _invert(fraction: Fraction, blocks: _Blocks, confidence: float) -> tuple[float, float]:
    """All c for which ``numerator - c * denominator`` may be zero (Fieller's argument, with a finite-sample test)."""

    def contains_zero(c: float) -> bool:
        keys = fraction.numerator | fraction.denominator
        tested = {k: fraction.numerator.get(k, 0.0) - c * fraction.denominator.get(k, 0.0) for k in keys}
        low, high = blocks.total(tested, confidence)
        return low <= 0 <= high

    denominator = blocks.total(fraction.denominator, confidence)
    estimate = _point(fraction, blocks)
    if denominator[0] <= 0 <= denominator[1] or not math.isfinite(estimate):
        return -math.inf, math.inf
    reach = max(abs(estimate), 1e-300)
    return _edge(estimate, -reach, contains_zero), _edge(estimate, reach, contains_zero)


def _point(fraction: Fraction, blocks: _Blocks) -> float:
    scale = blocks.left / max(blocks.values.shape[1], 1)
    totals = blocks.known + scale * blocks.values.sum(axis=1)

    def of(linear: Linear) -> float:
        return sum(w * (1.0 if k is None else float(totals[k])) for k, w in linear.items())

    return of(fraction.numerator) / (of(fraction.denominator) or math.nan)


def _edge(estimate: float, reach: float, contains_zero: object) -> float:
    """Where, between the estimate and `reach` beyond it, the test starts to reject; infinite when it does not."""
    assert callable(contains_zero)
    inside, outside = 0.0, 1.0
    if contains_zero(estimate + reach):
        return math.copysign(math.inf, reach)
    for _ in range(12):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if contains_zero(estimate + middle * reach) else (inside, middle)
        if outside - inside < 0.02 * outside:
            break
    return estimate + outside * reach
