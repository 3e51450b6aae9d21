"""Anytime-valid lower bounds on totals whose parts are sampled each in its own way: under strata, proxies, selection.

Work goes in rounds. At the start of a round the units not yet seen are split into groups in any way that the past
suggests, and some of each group are drawn at random without replacement. For the j-th draw of a group with R units,

    z_j = (sum of residuals drawn before in the round) + (R - j + 1) residual_j + (predictions of all R units)

has the group's total T as its mean, whatever the predictions were: residual = value - prediction. For a stake s and a
guess g fixed before the draw, with ``s (g - z_j) < 1``,

    exp(s (g - T)) (1 + s (z_j - g))     has mean   exp(s (g - T)) (1 - s (g - T)) <= 1

because ``1 - x <= exp(-x)``. Its logarithm is *linear* in T. So if the stakes on each group add up to one number for
the round, the product over the round depends on the groups' totals through their sum alone: no bound has to be split
over strata, and groups, predictions, stakes and sample sizes may all be chosen anew from what has been seen.
Ville's inequality turns the product over all rounds into a bound that holds after every round at once.

Source: the empirical Bernstein sequence of Waudby-Smith & Ramdas (JRSS-B 2024, theorem 2) with its last inequality
left out (Fan, Grama & Liu, EJP 2015, lemma 4.1, bounds that factor by an exponential of squares; not needed here).

All arrays carry C statements at once, each about another function of the same units; an upper bound is the lower
bound of the negative.
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
    """One group in one round, for C statements; all but `residuals` fixed before they are drawn.

    Attributes:
        remaining: R, units not seen before this round.
        predicted: (C,) sum of the predictions of those R units.
        residuals: (C, a) value minus prediction of the units drawn, in the order drawn, 1 <= a <= R.
        low: (C,) least residual possible.
        centre, variance: (C,) guesses for a residual's mean (>= low) and variance; bad ones cost width only.
    """

    remaining: int
    predicted: Floats
    residuals: Floats
    low: Floats
    centre: Floats
    variance: Floats

    @property
    def draws(self) -> int:
        return int(self.residuals.shape[1])

    @property
    def exhausted(self) -> bool:
        return self.draws == self.remaining


class Martingale:
    """Lower bounds on C totals after any number of rounds; each alone fails with probability <= `delta`."""

    def __init__(self, delta: float, statements: int) -> None:
        self.log_ratio = math.log(1 / delta)
        self.low = np.full(0, -math.inf)
        self._gain, self._stake, self._log_ratios = np.zeros((3, 0, 1))
        self.extend(delta, statements)

    def extend(self, delta: float, statements: int) -> None:
        """More statements, each of which fails with probability <= `delta`: they bet from the next round on.

        What was seen before is `known` to them. So a statement may be chosen because of what was seen.
        """
        self.low = np.append(self.low, np.full(statements, -math.inf))
        nothing = np.zeros((statements, 1))
        self._gain, self._stake = np.concatenate([self._gain, nothing]), np.concatenate([self._stake, nothing])
        self._log_ratios = np.concatenate([self._log_ratios, nothing + math.log(1 / delta)])

    def round(self, known: Floats, groups: Sequence[Group], half_width: Floats) -> None:
        """Bet on one round, in as many equal steps as the group of fewest draws has: each step is one more look.

        Args:
            known: (C,) sum of all values seen before the round (and of those never in doubt). groups: the partition
            of all other units, less those whose value is 0 in every statement with a `half_width`. half_width: (C,)
            of the totals, what the stakes aim at, chosen before the round; 0 sits the round out.
        """
        known = known + sum((group.predicted + group.residuals.sum(axis=1) for group in groups if group.exhausted), 0.0)
        chancy = [group for group in groups if not group.exhausted]
        if not chancy:
            self.low = np.where(half_width > 0, known, self.low)
            return
        # A group that runs out is known only when its last unit is: no looks in between.
        steps = 1 if len(chancy) < len(groups) else min(group.draws for group in chancy)
        slices = [_Slices(group, steps) for group in chancy]
        profile = np.mean([part.information / part.information.sum() for part in slices], axis=0)
        noise = sum(group.variance / part.information.sum() for group, part in zip(chancy, slices, strict=True))
        limit = np.min([part.stake_max(profile) for part in slices], axis=0)
        stakes = np.minimum(half_width / np.maximum(noise, 1e-300), limit)[:, None] * profile
        gains = known[:, None] * stakes + sum(part.gains(stakes) for part in slices)
        gain, stake = self._gain + np.cumsum(gains, axis=1), self._stake + np.cumsum(stakes, axis=1)
        ends = np.where(stake > 0, (gain - self._log_ratios) / np.maximum(stake, 1e-300), -math.inf)
        self.low = np.maximum(self.low, ends.max(axis=1))
        self._gain, self._stake = gain[:, -1:], stake[:, -1:]


class _Slices:
    """The draws of one group, cut into the round's steps."""

    def __init__(self, group: Group, steps: int) -> None:
        self.group = group
        self.left = group.remaining - np.arange(group.draws, dtype=np.float64)
        self._starts = np.arange(steps) * group.draws // steps
        self._step = np.repeat(np.arange(steps), np.diff(self._starts, append=group.draws))
        # One over the variance of the group's total as each step estimates it, in units of the residual's variance.
        self.information = np.add.reduceat(self.left**-2, self._starts)

    def _per_draw(self, stakes: Floats) -> Floats:
        """(C, a) each draw's part of its step's stake, the best: inverse to the variance of z_j."""
        return (stakes / self.information)[..., self._step] / self.left**2

    def stake_max(self, profile: Floats) -> Floats:
        """(C,) the largest stake on the round that leaves every factor at least 1 - CAP."""
        reach = self.group.centre - self.group.low
        return CAP / np.maximum(reach * float(np.max(self._per_draw(profile) * self.left)), 1e-300)

    def gains(self, stakes: Floats) -> Floats:
        """(C, steps) the group's part of the exponent, without the ``-stake * total`` that all groups share."""
        group, per_draw = self.group, self._per_draw(stakes)
        before = np.cumsum(group.residuals, axis=1) - group.residuals
        guess = group.predicted[:, None] + before + self.left * group.centre[:, None]
        surprise = np.log1p(per_draw * self.left * (group.residuals - group.centre[:, None]))
        return np.asarray(np.add.reduceat(per_draw * guess + surprise, self._starts, axis=1))


def two_sided(
    remaining: int, predicted: float, residuals: Floats, ends: tuple[float, float], centre: float, variance: float
) -> Group:
    """The group of two statements, about a value and about its negative; `ends` are the residual's range."""
    sign = np.array([1.0, -1.0])
    low = np.array([ends[0], -ends[1]])
    return Group(remaining, sign * predicted, sign[:, None] * residuals, low, sign * centre, np.full(2, variance))
