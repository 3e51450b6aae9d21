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

Where one group is all there is, z_j has the total T of everything as its mean, and a candidate v is bet against
directly: ``1 + s (z_j - v)`` has mean at most 1 for every v >= T as long as ``s (v - z_j) < 1``. That gives nothing
away to the inequality above. Rounds of both kinds multiply.

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


@dataclass(frozen=True)
class Bets:
    """Bets (C, k) in the order made, each the logarithm of a factor as a falling function of a candidate total v.

    Where `is_tight` (k,): ``log(1 + min(stake, CAP / (v - floor)) (at - v))``, `floor` being the least `at` can be.
    Elsewhere the straight line ``at - stake v``.
    """

    at: Floats
    floor: Floats
    stake: Floats
    is_tight: npt.NDArray[np.bool_]

    @staticmethod
    def none(statements: int) -> Bets:
        nothing = np.zeros((statements, 0))
        return Bets(nothing, nothing, nothing, np.zeros(0, dtype=bool))

    def then(self, more: Bets) -> Bets:
        parts = ((self.at, more.at), (self.floor, more.floor), (self.stake, more.stake))
        at, floor, stake = (np.concatenate(part, axis=1) for part in parts)
        return Bets(at, floor, stake, np.append(self.is_tight, more.is_tight))

    def gains(self, candidates: Floats) -> Floats:
        """(C, k) what each bet adds to the logarithm of the capital against the candidates (C,)."""
        tight = self.is_tight
        if tight.all():
            return _tight(self.at, self.floor, self.stake, candidates)
        gains = np.asarray(self.at - self.stake * candidates[:, None])
        if tight.any():
            gains[:, tight] = _tight(self.at[:, tight], self.floor[:, tight], self.stake[:, tight], candidates)
        return gains

    def rejected(self, log_ratio: Floats, start: Floats) -> Floats:
        """(C,) the largest candidate whose capital once reached `log_ratio`, -inf where none has; `start` where finite
        is one that has.

        What is returned is the rejected end of a bracket, so rounding only widens an interval.
        """
        stakes = self.stake.sum(axis=1)
        is_open = stakes > 0
        centre = np.where(self.is_tight, self.at * self.stake, self.at).sum(axis=1) / np.maximum(stakes, 1e-300)

        def excess(v: Floats) -> Floats:
            return np.asarray(np.cumsum(self.gains(v), axis=1).max(axis=1, initial=0.0) - log_ratio)

        low = high = np.where(np.isfinite(start), start, centre)
        over = under = excess(low)
        step = log_ratio / np.maximum(stakes, 1e-300)
        while (wrong := is_open & (over < 0)).any():
            low, step = np.where(wrong, low - step, low), 2 * step
            over = excess(low)
        step = log_ratio / np.maximum(stakes, 1e-300)
        while (wrong := is_open & (under >= 0)).any():
            high, step = np.where(wrong, high + step, high), 2 * step
            under = excess(high)
        # Closer than numbers themselves lie no bracket comes, however near its end is to the centre.
        turn = 0
        while (is_open & (high - low > np.maximum(1e-3 * np.abs(centre - low), 4 * np.spacing(np.abs(high))))).any():
            turn += 1
            share = over / np.maximum(over - under, 1e-300) if turn % 3 else 0.5  # regula falsi, every third a halving
            middle = low + (high - low) * np.clip(share, 0.01, 0.99)
            gap = excess(middle)
            is_low = gap >= 0
            low, over = np.where(is_low, middle, low), np.where(is_low, gap, over)
            high, under = np.where(is_low, high, middle), np.where(is_low, under, gap)
        return np.where(is_open, low, start)


def _tight(at: Floats, floor: Floats, stake: Floats, candidates: Floats) -> Floats:
    v = candidates[:, None]
    return np.log1p(np.minimum(stake, CAP / np.maximum(v - floor, 1e-300)) * (at - v))


class Martingale:
    """Lower bounds on C totals after any number of rounds; each alone fails with probability <= `delta`.

    `is_sign`: all that is asked is whether a total is shown not to lie below zero; `low` is 0 where it is, else -inf.
    `is_wary`: what varies is taken to come from few values as low as can be, so that each of them costs less capital.
    """

    def __init__(self, delta: float, statements: int, *, is_sign: bool = False, is_wary: bool = False) -> None:
        self.log_ratio = np.full(statements, math.log(1 / delta))
        """(C,) the logarithm of the capital that rejects."""
        self.has_bet = False
        self._is_sign, self._is_wary, self._low = is_sign, is_wary, np.full(statements, -math.inf)
        self._bets, self._is_looked = Bets.none(statements), True
        self._wealth = np.zeros((statements, 1))

    def split(self, deltas: Floats) -> None:
        """Another chance to fail for each statement, before the first bet."""
        assert not self.has_bet
        self.log_ratio = -np.log(deltas)

    @property
    def low(self) -> Floats:
        """(C,) the bounds now; they only rise."""
        if not self._is_looked:
            self._low, self._is_looked = self._bets.rejected(self.log_ratio, self._low), True
        return self._low

    def round(self, known: Floats, groups: Sequence[Group], half_width: Floats) -> None:
        """Bet on one round.

        Args:
            known: (C,) sum of all values seen before the round (and of those never in doubt). groups: the partition
            of all other units, less those whose value is 0 in every statement with a `half_width`. half_width: (C,)
            of the totals, what the stakes aim at, chosen before the round; 0 sits the round out.
        """
        self.has_bet = True
        known = known + sum((group.predicted + group.residuals.sum(axis=1) for group in groups if group.exhausted), 0.0)
        chancy = [group for group in groups if not group.exhausted]
        if not chancy:
            self._low = np.where(half_width > 0, known, self.low)
            return
        # A group that runs out is known only when its last unit is: no looks in between.
        steps = 1 if len(chancy) < len(groups) else min(group.draws for group in chancy)
        is_alone = len(groups) == 1

        self._take(
            alone(known, chancy[0], half_width)
            if is_alone
            else together(known, chancy, half_width, steps, is_wary=self._is_wary)
        )

    def _take(self, bets: Bets) -> None:
        if self._is_sign:
            wealth = self._wealth + np.cumsum(bets.gains(np.zeros(self._low.size)), axis=1)
            self._low = np.where(wealth.max(axis=1) >= self.log_ratio, np.maximum(self._low, 0.0), self._low)
            self._wealth = wealth[:, -1:]
        else:
            self._bets, self._is_looked = self._bets.then(bets), False


def alone(known: Floats, group: Group, half_width: Floats) -> Bets:
    """Bets on the draws of the only group: each z_j has the total as its mean, so no inequality is given away."""
    left = group.remaining - np.arange(group.draws, dtype=np.float64)
    before = np.cumsum(group.residuals, axis=1) - group.residuals
    base = (known + group.predicted)[:, None] + before
    stake = half_width[:, None] / np.maximum(group.variance[:, None] * left**2, 1e-300)
    return Bets(
        base + left * group.residuals, base + left * group.low[:, None], stake, np.ones(group.draws, dtype=bool)
    )


def together(known: Floats, groups: Sequence[Group], half_width: Floats, steps: int, *, is_wary: bool = False) -> Bets:
    """Bets on several groups, in steps each of which stakes the same on all of them.

    The stake that grows capital most is distance / variance where values spread evenly, and distance / (variance +
    distance * reach) where they are of two kinds, most alike and few as far below as they can be (`is_wary`).
    """
    slices = [_Slices(group, steps) for group in groups]
    profile = np.mean([part.information / part.information.sum() for part in slices], axis=0)
    noise = sum(group.variance / part.information.sum() for group, part in zip(groups, slices, strict=True))
    limit = np.min([part.stake_max(profile) for part in slices], axis=0)
    spread = noise + half_width * CAP / limit if is_wary else noise
    stakes = np.minimum(half_width / np.maximum(spread, 1e-300), limit)[:, None] * profile
    gains = known[:, None] * stakes + sum(part.gains(stakes) for part in slices)
    return Bets(gains, np.zeros_like(gains), stakes, np.zeros(steps, dtype=bool))


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
