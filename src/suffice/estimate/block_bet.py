"""Is a total, or a ratio of totals, surely not this? Finite-sample tests for sampled blocks, two passes over the data.

Blocks are drawn without replacement; block i adds a_i to the numerator and b_i >= 0 to the denominator, inside known
ranges. With A, B the sums over blocks already read and ``rem`` blocks left, a draw of k of them gives
``Z = A + (rem / k) a - c (B + (rem / k) b)``, whose mean given the past is 0 when c is the ratio of the totals. For
stakes fixed beforehand the product of ``1 + s Z`` is a non-negative martingale then, so it passes 1/delta with
probability <= delta (Ville). Stakes do not depend on c and each Z falls in c: if c is rejected from below, so is
everything under it.

Sources: Waudby-Smith & Ramdas (NeurIPS 2020) for the draw without replacement, (JRSS-B 2024) for the stakes. A tenth
of the draw only sets the stakes; it is counted as read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.estimate.capital import CAP, highest

Floats = npt.NDArray[np.float64]
Range = tuple[float, float]

_WINDOW = 0.5
"""Stakes allow for ratios this far (relatively) from the first tenth's; farther ones are not tested."""

_DOUBT = 0.05
"""Squared ranges put on top of the squared residuals seen: variance that few blocks may not have shown."""


@dataclass(frozen=True)
class BlockDraw:
    """Blocks in the order drawn, and what is known besides.

    Attributes:
        a, b: (n,) each block's part in numerator and denominator.
        a_range, b_range: the ends of any block's part; the denominator's are >= 0.
        left: blocks there were to draw from, n <= left.
        known_a, known_b: sums over the blocks read earlier.
    """

    a: Floats
    b: Floats
    a_range: Range
    b_range: Range
    left: int
    known_a: float = 0.0
    known_b: float = 0.0

    def batched(self, size: int) -> BlockDraw:
        """Bets on `size` blocks at a time: cheaper, hardly weaker while ranges matter little (odd ones left out)."""
        if size == 1:
            return self
        whole = len(self.a) // size * size
        a, b = (v[:whole].reshape(-1, size).sum(axis=1) for v in (self.a, self.b))
        wide = [(size * low, size * high) for low, high in (self.a_range, self.b_range)]
        return BlockDraw(a, b, wide[0], wide[1], self.left, self.known_a, self.known_b)


def excludes(draw: BlockDraw, size: int, below: float, above: float, delta: float) -> bool:
    """Whether the ratio is surely more than `below` and less than `above`, wrongly with probability <= `delta`.

    Args:
        size: blocks per bet.
    """
    batched = draw.batched(size)
    first = max(1, len(batched.a) // 10)
    a, b = batched.a[first:], batched.b[first:]
    if len(a) < 2 or not all(map(math.isfinite, (*batched.a_range, *batched.b_range))):
        return False
    left = batched.left - first * size
    start_a, start_b = (k + v[:first].sum() for k, v in ((batched.known_a, batched.a), (batched.known_b, batched.b)))
    ahead = left / (first * size)
    centre = (start_a + ahead * batched.a[:first].sum()) / ((start_b + ahead * batched.b[:first].sum()) or math.nan)
    window = centre - _WINDOW * abs(centre), centre + _WINDOW * abs(centre)
    if not (below <= window[1] and above >= window[0]):  # also when the centre is not a number
        return False
    scale = (left - size * np.arange(len(a), dtype=np.float64)) / size
    sum_a, sum_b = start_a + np.cumsum(a) - a, start_b + np.cumsum(b) - b
    stakes = _stakes(batched, centre, first, scale, math.log(2 / delta))
    fall = -(sum_a - window[1] * sum_b + scale * (batched.a_range[0] - _most(window[1], batched.b_range)))
    rise = sum_a - window[0] * sum_b + scale * (batched.a_range[1] + _most(-window[0], batched.b_range))
    offset, slope = sum_a + scale * a, sum_b + scale * b
    low_side = 1 + np.minimum(stakes, CAP / np.maximum(fall, 1e-300)) * (offset - below * slope)
    high_side = 1 - np.minimum(stakes, CAP / np.maximum(rise, 1e-300)) * (offset - above * slope)
    # A candidate outside the range can end a factor at zero or under: it is then as rejected as can be, not less.
    sides = [highest(np.maximum(f, 1e-12)) for f in (low_side, high_side)]
    return min(sides) >= math.log(2 / delta)


def _most(factor: float, ends: Range) -> float:
    return max(factor * ends[0], factor * ends[1])


def _stakes(draw: BlockDraw, centre: float, first: int, scale: Floats, log_ratio: float) -> Floats:
    """Kelly stakes against a value one expected half-width away."""
    residual = draw.a - centre * draw.b
    width = draw.a_range[1] - draw.a_range[0] + abs(centre) * (draw.b_range[1] - draw.b_range[0])
    before = np.cumsum(residual**2)[first - 1 : -1]
    variance = (before + _DOUBT * width**2) / (first + np.arange(len(scale)))
    n, total = len(draw.a), scale[0]
    half_width = total * np.sqrt(2 * log_ratio * variance * max(1 / n - 1 / total, 1e-3 / n))
    stakes: Floats = half_width / (scale**2 * variance)
    return stakes
