"""Ratios of totals at every sample size at once, from sums that a database can make: no value is ever looked at alone.

Units are drawn at random without replacement, part after part. Unit i adds a_i to a numerator and b_i >= 0 to a
denominator (b = 1 everywhere turns the ratio into a mean). For a candidate c, with A and B the sums over all units
read before a part and R the units left then, the value ``y_i = a_i - c b_i`` has, if c is the ratio of the totals, the
mean ``mu = (c B - A) / R`` over those left. A stake s fixed before the part, with ``s (mu - y) < 1`` for every possible
unit, gives the capital

    prod over the part of (1 + s (y_i - mu)),

whose mean is at most 1: for draws with replacement it is 1, and Hoeffding (JASA 1963, theorem 4) shows that the mean of
a convex function of a sum, here exp of a sum of logarithms, is no larger without. So the product over parts is a
supermartingale at c (Ville: it ever passes 1/delta with probability <= delta), and since every factor falls in c, a
candidate that is rejected from below takes all smaller ones with it.

The product itself needs every y_i. But ``log(1 + u) >= u + ((v + log(1 - v)) / v^2) u^2`` for all u >= -v (Fan, Grama &
Liu, EJP 2015, lemma 4.1), so a bound on the capital follows from the sums of y and y^2 and the least y seen. It is the
exact capital that is a supermartingale; what is computed is never more than it. Known ranges limit the stakes, the
values seen limit v: a range far wider than the values costs little.

Source of the bets: Waudby-Smith & Ramdas (JRSS-B 2024; NeurIPS 2020 for draws without replacement).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CAP = 0.8
"""The most of the capital that a stake is planned to put at risk in one unit."""

_LIMIT = 0.98  # of the capital, at the candidate that is tested: beyond it the candidate is not tested
_DOUBT = 0.02  # squared ranges added to the squared residuals seen: variance that few units may not have shown
_DOUBLINGS = 2.0 ** np.arange(-3, 13)[:, None]  # distances at which an end is looked for at first
_SHARES = np.arange(1, 23)[:, None] / 23  # of the bracket in which it lies, looked at next
_REFINEMENTS = 2


@dataclass(frozen=True)
class Sums:
    """Of one part, for M statements: all arrays (M,) but `ends` of a and b, (2, M).

    Attributes:
        drawn, left: units in the part, and units there were to draw it from.
        a, b, aa, ab, bb: sums of a_i, b_i and their products.
        a_ends, b_ends: the least and greatest seen.
        known_a, known_b: sums over all units read before the part.
    """

    drawn: int
    left: int
    a: Floats
    b: Floats
    aa: Floats
    ab: Floats
    bb: Floats
    a_ends: Floats
    b_ends: Floats
    known_a: Floats
    known_b: Floats

    def mean(self, c: Floats) -> Floats:
        """Of y over the units left before the part, if `c` is the ratio."""
        return np.asarray((c * self.known_b - self.known_a) / self.left)

    def squares(self, c: Floats, mean: Floats) -> Floats:
        """Sum of ``(y - mean)^2``, never less than it is."""
        raw = self.aa + c * c * self.bb + self.drawn * mean * mean
        exact = raw - 2 * c * self.ab - 2 * mean * (self.a - c * self.b)
        return np.asarray(np.maximum(exact, 0.0) + 1e-13 * raw)


@dataclass(frozen=True)
class Ranges:
    """What one unit may add, declared: (2, M) ends; the denominator's are >= 0."""

    a: Floats
    b: Floats

    def y(self, c: Floats) -> tuple[Floats, Floats]:
        """(least, greatest) y."""
        return _y_ends(self.a, self.b, c)


def _y_ends(a: Floats, b: Floats, c: Floats) -> tuple[Floats, Floats]:
    one, other = c * b[0], c * b[1]
    return a[0] - np.maximum(one, other), a[1] - np.minimum(one, other)


@dataclass(frozen=True)
class Stakes:
    """For M statements, (M,) each; 0 sits a part out."""

    up: Floats
    down: Floats


class RatioBet:
    """Confidence sequences for M ratios, fed part by part.

    Args:
        ranges: declared; a statement whose range is not finite gets no interval.
        log_ratio: (M,) log(2 / delta) of each statement: each side fails with probability <= delta / 2, ever.
    """

    def __init__(self, ranges: Ranges, log_ratio: Floats) -> None:
        self.ranges, self.log_ratio = ranges, log_ratio
        self._parts: list[tuple[Sums, Stakes]] = []
        self.low, self.high = np.full((2, len(log_ratio)), [[-np.inf], [np.inf]])

    def add(self, part: Sums, stakes: Stakes) -> None:
        """Take a part; `stakes` must not depend on it."""
        self._parts.append((part, stakes))

    def evidence(self, c: Floats, sign: int) -> Floats:
        """(…, M) log capital against `c` at its highest so far: `sign` 1 against values as low, -1 as high as `c`."""
        total, best = np.zeros_like(c), np.zeros_like(c)
        with np.errstate(all="ignore"):
            for part, stakes in self._parts:
                total = total + _gain(part, self.ranges, stakes.up if sign > 0 else stakes.down, c, sign)
                best = np.fmax(best, total)
        return best

    def settle(self, centre: Floats, step: Floats) -> None:
        """Move the ends in. `centre`: (M,) estimates; `step`: (M,) > 0, a guess of the half-widths."""
        usable = np.isfinite(centre) & np.isfinite(step) & (step > 0)
        centre, step = np.where(usable, centre, 0.0), np.where(usable, step, 1.0)
        low = np.where(usable, self._end(centre, step, 1), -np.inf)
        high = np.where(usable, self._end(centre, step, -1), np.inf)
        self.low, self.high = np.fmax(self.low, low), np.fmin(self.high, high)

    def _end(self, centre: Floats, step: Floats, sign: int) -> Floats:
        """The rejected value nearest to `centre`, searched on a doubling grid, then on finer ones between its points;
        any one rejected is proof enough."""
        near, far = self._between(centre, np.zeros_like(step), step * _DOUBLINGS, sign)
        for _ in range(_REFINEMENTS):
            inner = near + (np.where(np.isinf(far), near, far) - near) * _SHARES
            nearer, hit = self._between(centre, near, inner, sign)
            near, far = nearer, np.where(np.isinf(far), far, np.fmin(hit, far))
        return np.asarray(centre - sign * far)

    def _between(self, centre: Floats, near: Floats, distances: Floats, sign: int) -> tuple[Floats, Floats]:
        """(the last before it, the first rejected) of `distances` (K, M) that grow from `near`; infinite for none."""
        hit = self.evidence(centre - sign * distances, sign) >= self.log_ratio
        first, points = hit.argmax(axis=0), np.concatenate([near[None], distances])
        before, at = (np.take_along_axis(points, (first + i)[None], axis=0)[0] for i in (0, 1))
        return np.where(hit.any(axis=0), before, points[-1]), np.where(hit.any(axis=0), at, np.inf)


def _gain(part: Sums, ranges: Ranges, stake: Floats, c: Floats, sign: int) -> Floats:
    mean = part.mean(c)
    seen = _y_ends(part.a_ends, part.b_ends, c)
    possible = ranges.y(c)
    fall, reach = (mean - seen[0], mean - possible[0]) if sign > 0 else (seen[1] - mean, possible[1] - mean)
    risk = stake * np.maximum(fall, 0.0)
    curve = np.where(risk > 1e-4, -(np.log1p(-risk) + risk) / np.maximum(risk, 1e-300) ** 2, 0.5 + risk)
    surprise = sign * (part.a - c * part.b - part.drawn * mean)
    gain = stake * surprise - curve * stake**2 * part.squares(c, mean)
    allowed = (stake * reach <= _LIMIT) & np.isfinite(gain)
    return np.where(stake == 0, 0.0, np.where(allowed, gain, -np.inf))


def spread(seen: Sums, ranges: Ranges, c: Floats) -> Floats:
    """(M,) variance of y over units like those of `seen`, with the doubt that few units leave."""
    low, high = ranges.y(c)
    mean = (seen.a - c * seen.b) / max(seen.drawn, 1)
    return np.asarray((seen.squares(c, mean) + _DOUBT * (high - low) ** 2) / (seen.drawn + 1))


def best_stakes(ranges: Ranges, c: Floats, mean: Floats, variance: Floats, shift: Floats) -> Stakes:
    """Kelly's stakes against candidates whose y lies `shift` (>= 0) off, given estimates; bad ones cost width only.

    Args:
        c, mean, variance: (M,) the estimated ratio, and the mean and variance of y there.
        shift: (M,) how far the mean of y moves when c moves by the half-width aimed at; 0 sits out.
    """
    with np.errstate(all="ignore"):
        low, high = ranges.y(c)
        wanted = np.nan_to_num(shift / variance, nan=0.0, posinf=0.0)
        up, down = (np.minimum(wanted, CAP / np.maximum(reach, 1e-300)) for reach in (mean - low, high - mean))
    finite = np.isfinite(low) & np.isfinite(high)
    return Stakes(*(np.where(finite, _short(side), 0.0) for side in (up, down)))


def units_needed(
    ranges: Ranges, c: Floats, mean: Floats, variance: Floats, shift: Floats, missing: tuple[Floats, Floats]
) -> Floats:
    """(M,) more units to draw until candidates `shift` off are rejected; infinite where that will not happen.

    `missing`: (up, down) what the logarithm of the capital still lacks.
    """
    stakes = best_stakes(ranges, c, mean, variance, shift)
    with np.errstate(all="ignore"):
        needs = []
        low, high = ranges.y(c)
        for stake, reach, lacks in zip((stakes.up, stakes.down), (mean - low, high - mean), missing, strict=True):
            curve = 0.5 + np.minimum(stake * reach / 3, 0.05)  # as :func:`_gain` has it; ranges seen are narrower
            rate = stake * shift - curve * stake**2 * variance
            needs.append(np.where(lacks <= 0, 0.0, np.where(rate > 0, lacks / rate, np.inf)))
    return np.asarray(np.maximum(*needs))


def _short(values: Floats) -> Floats:
    """Seven digits: sums of doubles differ in the last ones from thread to thread, and stakes must not."""
    with np.errstate(all="ignore"):
        digits = 10.0 ** (6 - np.floor(np.log10(np.maximum(np.abs(values), 1e-300))))
        return np.where(values > 0, np.floor(values * digits) / digits, 0.0)
