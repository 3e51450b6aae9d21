"""Intervals for all fractions of all groups, kept up to date part by part; together they fail with probability delta.

A group's share of delta is fixed when it is first met, and only parts drawn after that are bet on: groups met in the
first draw have 90% of it, those met in each later part 90% of what is left then. What looks hard to bound by then gets
most of a share, what is easily bounded hardly any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.tally import Part, Tally
from suffice.estimate.delta_shares import shares_of
from suffice.estimate.ratio_bet import Ranges, RatioBet, Stakes, Sums, best_stakes, spread, units_needed
from suffice.sql.aggregate.fraction import Fraction, Linear

Floats = npt.NDArray[np.float64]

_FIRST_SHARE = 0.9
_LITTLE = 0.2  # of the capital: at this risk, knowing the ends seen saves a tenth of the draws at most


class Claims:
    """Confidence sequences of `fractions` [fractions, groups], flattened for the bets.

    Args:
        low, high: [pieces] what one unit adds at least and at most, 0 included.
        units: units there are.
        delta: of all intervals together, for all time.
    """

    def __init__(
        self, fractions: Sequence[Fraction], low: Floats, high: Floats, units: int, tally: Tally, delta: float
    ) -> None:
        self.fractions, self.units, self.tally, self._left_delta = fractions, units, tally, delta
        self._ends = np.stack([low, high])
        self._bets: list[RatioBet] = []
        self._first: list[int] = []  # the number of the first group of each bet
        self._can = [f.is_linear or bool((_part_ends(f.denominator, self._ends)[0] >= 0).all()) for f in fractions]

    # -- feeding --------------------------------------------------------------------------------------------

    def take(self, part: Part, half_widths: Floats | None) -> None:
        """Bet on `part`, which the tally does not hold yet, then hand it over.

        `half_widths` [fractions, groups known before]: what is aimed at, from earlier parts alone; None sits it out.
        """
        if part.units is not None and half_widths is not None:
            for first, bet in zip(self._first, self._bets, strict=True):
                groups = slice(first, first + len(bet.log_ratio) // len(self.fractions))
                sums = self._sums(part, self.tally.known(), groups)
                bet.add(sums, self._stakes(bet.ranges, groups, half_widths[:, groups]))
        self.tally.add(part)

    def meet_groups(self, half_widths: Callable[[], Floats] | None) -> None:
        """Open bets for groups of the tally that have none, from the next part on; `half_widths` [fractions, groups]
        are those needed, None where nothing is asked of them."""
        before = self._first[-1] + len(self._bets[-1].log_ratio) // len(self.fractions) if self._bets else 0
        fresh = self.tally.groups_met() - before
        if fresh:
            share = 1.0 if not self.tally.groups.keys else _FIRST_SHARE
            delta, ranges = share * self._left_delta, self._ranges(fresh)
            self._left_delta *= 1 - share
            equal = np.full(fresh * len(self.fractions), np.log(2 * fresh * len(self.fractions) / delta))
            groups = slice(before, before + fresh)
            evidence = equal if half_widths is None else self._shared(ranges, groups, half_widths(), equal, delta / 2)
            self._first.append(before)
            self._bets.append(RatioBet(ranges, evidence))

    def _shared(self, ranges: Ranges, groups: slice, half_widths: Floats, equal: Floats, delta: float) -> Floats:
        needed = self._needed(ranges, groups, half_widths, (equal, equal))
        with np.errstate(all="ignore"):
            relative = (half_widths / np.abs(self.estimates()))[:, groups].ravel()
            met = 2 * equal * self.tally.units / (needed * relative**2)  # units as good as those that told so far
        return shares_of(delta, needed, np.nan_to_num(met, nan=0.0, posinf=0.0))

    # -- what is known --------------------------------------------------------------------------------------

    def estimates(self) -> Floats:
        """[fractions, groups]"""
        totals = self.totals()
        with np.errstate(all="ignore"):
            values = [_of(f.numerator, totals, 1.0) / _of(f.denominator, totals, 1.0) for f in self.fractions]
        return np.array(values).reshape(len(self.fractions), -1)

    def totals(self) -> Floats:
        """Estimated totals of pieces [pieces, groups]."""
        drawn = self.tally.units
        return np.asarray(self.tally.known() + self.tally.drawn() * ((self.units - drawn) / max(drawn, 1)))

    def intervals(self, half_widths: Floats) -> tuple[Floats, Floats]:
        """(low, high) [fractions, groups]; `half_widths` is a guess that saves steps."""
        centre, scale = self._centres(), self._scale()
        for first, bet in zip(self._first, self._bets, strict=True):
            groups = slice(first, first + len(bet.log_ratio) // len(self.fractions))
            guess = np.where(np.isfinite(half_widths), half_widths, np.abs(self.estimates()) / 10)
            bet.settle(centre[:, groups].ravel(), (guess * scale)[:, groups].ravel())
        low, high = (self._joined([getattr(bet, end) for bet in self._bets]) for end in ("low", "high"))
        return self._outer(low / scale + self._shift(), high / scale + self._shift())

    def units_needed(self, half_widths: Floats) -> Floats:
        """[fractions, groups] more units until the intervals are `half_widths` wide on each side."""
        found = []
        centre, scale = self._centres(), self._scale()
        for first, bet in zip(self._first, self._bets, strict=True):
            groups = slice(first, first + len(bet.log_ratio) // len(self.fractions))
            c, width = centre[:, groups].ravel(), (half_widths * scale)[:, groups].ravel()
            up, down = (bet.log_ratio - bet.evidence(c - sign * width, sign) for sign in (1, -1))
            found.append(self._needed(bet.ranges, groups, half_widths, (up, down)))
        return self._joined(found)

    def _needed(self, ranges: Ranges, groups: slice, half_widths: Floats, lacks: tuple[Floats, Floats]) -> Floats:
        c = self._centres()[:, groups].ravel()
        width = (half_widths * self._scale())[:, groups].ravel()
        mean, variance, shift = self._moments(ranges, c, width, groups)
        return units_needed(ranges, c, mean, variance, shift, lacks)

    def wants_ends(self, needed: Floats, half_widths: Floats) -> bool:
        """Whether the ends seen would tell more than the ranges declared: where some claim that is hard to settle, by
        the units `needed` [fractions, groups] for `half_widths`, puts much of its capital at risk in one unit."""
        for first, bet in zip(self._first, self._bets, strict=True):
            groups = slice(first, first + len(bet.log_ratio) // len(self.fractions))
            stakes, c = self._stakes(bet.ranges, groups, half_widths[:, groups]), self._centres()[:, groups].ravel()
            with np.errstate(all="ignore"):
                least, greatest = bet.ranges.y(c)
                risk = np.maximum(stakes.up, stakes.down) * (greatest - least)
            hard = needed[:, groups].ravel() >= 0.5 * needed.max(initial=0.0)
            if not (risk[hard] <= _LITTLE).all():
                return True
        return False

    def reachable(self, units: int) -> Floats:
        """[fractions, groups] the half-widths that about `units` units in all give."""
        centre, scale = self._centres(), self._scale()
        found = []
        for first, bet in zip(self._first, self._bets, strict=True):
            groups = slice(first, first + len(bet.log_ratio) // len(self.fractions))
            c = centre[:, groups].ravel()
            _, variance, shift = self._moments(bet.ranges, c, np.ones_like(c), groups)
            with np.errstate(all="ignore"):
                found.append(np.sqrt(2 * bet.log_ratio * variance / units) / np.abs(shift))
        return np.asarray(self._joined(found) / scale)

    # -- in terms of bets -----------------------------------------------------------------------------------

    def _joined(self, parts: list[Floats]) -> Floats:
        """Arrays of the bets as one, [fractions, groups]."""
        return np.concatenate([p.reshape(len(self.fractions), -1) for p in parts], axis=1)

    def _centres(self) -> Floats:
        """What the bets are about: the ratio, or for a linear sum its mean over the units (without constants)."""
        return np.asarray((self.estimates() - self._shift()) * self._scale())

    def _scale(self) -> Floats:
        """[fractions, 1] from a value to the mean over units that is bet on."""
        return np.array([[f.denominator[None] / self.units if f.is_linear else 1.0] for f in self.fractions])

    def _shift(self) -> Floats:
        """[fractions, 1] the constant of linear sums, which is no matter of chance."""
        return np.array(
            [[f.numerator.get(None, 0.0) / f.denominator[None] if f.is_linear else 0.0] for f in self.fractions]
        )

    def _ranges(self, groups: int) -> Ranges:
        a, b = [], []
        for fraction, can in zip(self.fractions, self._can, strict=True):
            low, high = _part_ends(fraction.numerator, self._ends)
            a.append([low, high] if can else [-np.inf, np.inf])
            b.append([1.0, 1.0] if fraction.is_linear else list(_part_ends(fraction.denominator, self._ends)))
        ends = [np.repeat(np.array(side, np.float64).T, groups, axis=1) for side in (a, b)]
        return Ranges(ends[0], np.maximum(ends[1], 0.0))

    def _sums(self, part: Part, known: Floats, groups: slice) -> Sums:
        """`part` for one bet, the groups in `groups`."""
        assert part.units is not None
        wide = self.tally.widened(part)
        columns = [self._columns(f, wide, known, groups) for f in self.fractions]
        a, b, aa, ab, bb, known_a, known_b = (np.concatenate([c[i] for c in columns]) for i in range(7))
        a_ends, b_ends = (np.concatenate([c[i] for c in columns], axis=1) for i in (7, 8))
        left = self.units - self.tally.units
        return Sums(part.units, left, a, b, aa, ab, bb, a_ends, b_ends, known_a, known_b)

    def _columns(self, fraction: Fraction, part: Part, known: Floats, groups: slice) -> tuple[Floats, ...]:
        weights, other = (
            _weights(fraction.numerator, self.tally.pieces),
            _weights(fraction.denominator, self.tally.pieces),
        )
        sums, products = part.sums[:, groups], part.products[:, :, groups]
        a, aa = weights @ sums, np.einsum("i,j,ijg->g", weights, weights, products)
        a_ends = _seen_ends(weights, part.low[:, groups], part.high[:, groups])
        known_a = weights @ known[:, groups]
        if fraction.is_linear:
            drawn = self.tally.units
            ones = np.full_like(a, float(part.units or 0))
            return a, ones, aa, a, ones, known_a, np.full_like(a, float(drawn)), a_ends, np.ones_like(a_ends)
        b, bb = other @ sums, np.einsum("i,j,ijg->g", other, other, products)
        ab = np.einsum("i,j,ijg->g", weights, other, products)
        b_ends = _seen_ends(other, part.low[:, groups], part.high[:, groups])
        known_a = known_a + fraction.numerator.get(None, 0.0)
        known_b = other @ known[:, groups] + fraction.denominator.get(None, 0.0)
        return a, b, aa, ab, bb, known_a, known_b, a_ends, np.maximum(b_ends, 0.0)

    def _stakes(self, ranges: Ranges, groups: slice, half_widths: Floats) -> Stakes:
        centre = self._centres()[:, groups].ravel()
        mean, variance, shift = self._moments(ranges, centre, (half_widths * self._scale()).ravel(), groups)
        return best_stakes(ranges, centre, mean, variance, shift)

    def _moments(self, ranges: Ranges, c: Floats, width: Floats, groups: slice) -> tuple[Floats, Floats, Floats]:
        """(mean, variance) of y at `c` over the units left, and how far its mean moves when `c` moves by `width`."""
        everything = Part(
            self.tally.units,
            self.tally.met(),
            self.tally.drawn(),
            np.zeros((self.tally.pieces, len(self.tally.groups))),
            np.zeros((self.tally.pieces, len(self.tally.groups))),
            self.tally.products(),
        )
        seen = self._sums(everything, self.tally.known(), groups)
        left = max(seen.left, 1)
        whole = seen.known_b + seen.b * (left / max(seen.drawn, 1))
        mean = (c * seen.known_b - seen.known_a) / left
        return mean, spread(seen, ranges, c), np.asarray(np.nan_to_num(np.abs(width) * whole / left, posinf=0.0))

    def _outer(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Linear sums lie between what is known and what all units left could add; ten digits, rounded outward."""
        known, left = self.tally.known(), self.units - self.tally.units
        for i, fraction in enumerate(self.fractions):
            if fraction.is_linear:
                ends = _part_ends(fraction.numerator, self._ends)
                sure = [(_of(fraction.numerator, known, 1.0) + left * e) / fraction.denominator[None] for e in ends]
                low[i] = np.fmax(low[i], np.minimum(*sure))
                high[i] = np.fmin(high[i], np.maximum(*sure))
        return _rounded(low, np.floor), _rounded(high, np.ceil)


def _rounded(values: Floats, direction: np.ufunc) -> Floats:
    with np.errstate(all="ignore"):
        scale = 10.0 ** (9 - np.floor(np.log10(np.maximum(np.abs(values), 1e-250))))
        return np.where(np.isfinite(values) & (values != 0), direction(values * scale) / scale, values)


def _weights(linear: Linear, pieces: int) -> Floats:
    return np.array([linear.get(i, 0.0) for i in range(pieces)])


def _of(linear: Linear, totals: Floats, constant: float) -> Floats:
    start = np.full(totals.shape[1], constant * linear.get(None, 0.0))
    return sum((w * totals[p] for p, w in linear.items() if p is not None), start)


def _part_ends(linear: Linear, ends: Floats) -> Floats:
    """(low, high) of what one unit adds to a linear sum."""
    weights = _weights(linear, ends.shape[1])
    corners = np.where(weights != 0, weights * ends, 0.0)
    return np.array([corners.min(axis=0).sum(), corners.max(axis=0).sum()])


def _seen_ends(weights: Floats, low: Floats, high: Floats) -> Floats:
    """(2, groups) the same from the units of a part."""
    corners = weights[None, :, None] * np.stack([low, high])
    return np.stack([corners.min(axis=0).sum(axis=0), corners.max(axis=0).sum(axis=0)])
