"""An anytime-valid interval for a total whose parts are sampled each in its own way: the engine under strata and proxies.

Work goes in rounds. At the start of a round the units not yet seen are split into groups in any way that the past
suggests, and some of each group are drawn at random without replacement. For the j-th draw of a group with R units left,

    z_j = (sum of the residuals drawn before in the round) + (R - j + 1) residual_j + (predictions of all R units)

has the group's total T as its mean, whatever the predictions were: residual = value - prediction. For a stake s and a
guess g fixed before the draw, with ``s (g - z_j) < 1``,

    exp(s (g - T)) (1 + s (z_j - g))     has mean   exp(s (g - T)) (1 - s (g - T)) <= 1

because ``1 - x <= exp(-x)``. Its logarithm is *linear* in T. So if the stakes on each group add up to one number for
the round, the product over the round depends on the groups' totals through their sum alone: no bound has to be split
over strata, and groups, predictions, stakes and sample sizes may all be chosen anew from what has been seen.
Ville's inequality turns the product over all rounds into bounds that hold after every round at once.

Source: the empirical Bernstein sequence of Waudby-Smith & Ramdas (JRSS-B 2024, theorem 2) with its last inequality left
out (Fan, Grama & Liu, EJP 2015, lemma 4.1 bounds the factor above by an exponential of squares; nothing here needs it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CAP = 0.9
"""The most of the capital that one draw can take away; below 1, so that one surprise cannot end the game."""


@dataclass(frozen=True)
class Group:
    """One group in one round; all but `residuals` fixed before they are drawn.

    Attributes:
        remaining: R, units not seen before this round.
        predicted: sum of the predictions of those R units.
        residuals: (a,) value minus prediction of the units drawn, in the order drawn, 1 <= a <= R.
        low, high: range of a residual.
        centre, variance: guesses for a residual's mean (inside the range) and variance; bad ones cost width only.
    """

    remaining: int
    predicted: float
    residuals: Floats
    low: float
    high: float
    centre: float
    variance: float

    @property
    def exhausted(self) -> bool:
        return self.residuals.size == self.remaining

    @property
    def left(self) -> Floats:
        """(a,) units left before each draw: R, R - 1, ..."""
        return self.remaining - np.arange(self.residuals.size, dtype=np.float64)

    def information(self, steps: int) -> Floats:
        """(steps,) share of ``1 / (variance of the estimated total)`` that each of `steps` slices of the draws brings."""
        return np.add.reduceat(self.left**-2, _starts(self.residuals.size, steps)) / self.variance

    def known_total(self) -> float:
        """The total of its units, once the group is exhausted."""
        return self.predicted + float(self.residuals.sum())


class Martingale:
    """Bounds on a total after any number of rounds; `delta` is split evenly between the two sides."""

    def __init__(self, delta: float) -> None:
        self.log_ratio = math.log(2 / delta)
        self._gain, self._stake = [0.0, 0.0], [0.0, 0.0]
        self._ends = [-math.inf, -math.inf]  # the bounds on the total and on minus the total

    def round(self, known: float, groups: Sequence[Group], half_width: float) -> None:
        """Bet on one round, in as many equal steps as the group of fewest draws has: each step is one more look.

        Args:
            known: sum of all values seen before the round (and of those never in doubt).
            groups: the partition of all other units.
            half_width: of the total, what the stakes aim at; chosen before the round.
        """
        known += sum(group.known_total() for group in groups if group.exhausted)
        chancy = [group for group in groups if not group.exhausted]
        if not chancy:
            self._ends = [known, -known]
            return
        # A group that runs out is known only when its last unit is: no looks in between.
        steps = 1 if len(chancy) < len(groups) else min(group.residuals.size for group in chancy)
        information = np.stack([group.information(steps) for group in chancy])
        profile = (information / information.sum(axis=1, keepdims=True)).mean(axis=0)
        stake = half_width / float((1 / information.sum(axis=1)).sum())
        for side, sign in enumerate((1.0, -1.0)):
            stakes = min([stake, *(_stake_max(group, profile, sign) for group in chancy)]) * profile
            gains = sign * known * stakes + sum(_evidence(group, stakes, sign) for group in chancy)
            self._settle(side, gains, stakes)

    def _settle(self, side: int, gains: Floats, stakes: Floats) -> None:
        ends = (self._gain[side] + np.cumsum(gains) - self.log_ratio) / (self._stake[side] + np.cumsum(stakes))
        self._ends[side] = max(self._ends[side], float(ends.max()))
        self._gain[side] += float(gains.sum())
        self._stake[side] += float(stakes.sum())

    def bounds(self) -> tuple[float, float]:
        """(low, high) of the total."""
        return self._ends[0], -self._ends[1]


def _starts(draws: int, steps: int) -> npt.NDArray[np.intp]:
    return np.arange(steps) * draws // steps


def _per_stake(group: Group, stakes: Floats) -> Floats:
    """(a,) each draw's part of its step's stake, the optimal shares: inverse to the variance of each z_j."""
    starts = _starts(group.residuals.size, stakes.size)
    scale = stakes / (group.information(stakes.size) * group.variance)
    return np.repeat(scale, np.diff(starts, append=group.residuals.size)) / group.left**2


def _reach(group: Group, sign: float) -> float:
    """How far a residual can fall on the losing side of its guess."""
    far = group.centre - group.low if sign > 0 else group.high - group.centre
    return max(far, 1e-6 * (group.high - group.low), 1e-300)


def _stake_max(group: Group, profile: Floats, sign: float) -> float:
    return CAP / float(np.max(_per_stake(group, profile) * group.left) * _reach(group, sign))


def _evidence(group: Group, stakes: Floats, sign: float) -> Floats:
    """(steps,) the group's part of the exponent, without the ``stake * total`` that all groups share."""
    per_draw = _per_stake(group, stakes)
    guess = group.predicted + np.cumsum(group.residuals) - group.residuals + group.left * group.centre
    surprise = sign * per_draw * group.left * (group.residuals - group.centre)
    gains = sign * per_draw * guess + np.log1p(surprise)
    return np.add.reduceat(gains, _starts(group.residuals.size, stakes.size))
