"""A set of units that is sampled for itself, and the groups of the answer that hang on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.answer.unit_sample import Contributions
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_distinct import BoundedDistinct
from suffice.estimate.bounded_extreme import BoundedExtreme
from suffice.estimate.bounded_quantile import BoundedQuantile, Ranks
from suffice.estimate.linear_totals import LinearTotals
from suffice.estimate.missed_groups import missed_group_units_max
from suffice.estimate.quantity import BoundedRatio, BoundedTotal, Form, Share
from suffice.estimate.relative import relative_half_width
from suffice.estimate.student_totals import StudentRatio, StudentTotal, StudentTotals
from suffice.sql.units.formula import Atom, Distinct, Extreme, Linear, Piece, Quantile, Quotient, sums_of

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Ends = tuple[float, float]
Group = tuple[Any, ...]

LATE_SHARE = 0.1
"""The part of delta that is kept for groups nobody has met when the first bets are made."""

MISSED_SHARE = 0.02
"""The part of delta that is kept for the claim which groups cannot have been missed."""


@dataclass(eq=False)
class Panel:
    """The units `units` (n,) of the statement, sampled on their own.

    `scores` (n,) are cheap and known for all; `delta` is what all intervals of the panel may fail with together.
    `groups` are the groups met so far; with `grows` the models say which group a row is in, and more may come.
    """

    units: Indices
    scores: Floats
    pieces: Sequence[Piece]
    atoms: Sequence[Atom]
    delta: float
    error: float
    aim: Aim
    rng: np.random.Generator
    ordered: bool
    grows: bool
    groups: list[Group] = field(default_factory=list)
    known: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    known_values: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    late: int = 0
    met: set[Group] = field(default_factory=set)
    """Groups that some unit has a row of."""
    rows_max: float = math.inf
    """The most rows a unit can have, so the most groups it can be in."""
    lost: bool = False
    """Whether a group was met that no bound was kept for."""

    @property
    def is_bounded(self) -> bool:
        """Whether every unit's part of every atom has a known range, so that bounds hold at every sample size."""
        return are_bounded(self.atoms, self.pieces)

    @property
    def needs_pilot(self) -> bool:
        """Ratios are stepped round a first guess, and groups made by models have to be met."""
        return self.grows or (self.is_bounded and any(isinstance(atom, Quotient) for atom in self.atoms))

    @property
    def size(self) -> int:
        return int(self.units.size)

    # -- filling in -----------------------------------------------------------------------------------------

    def learn(self, numbers: Indices, found: Contributions) -> None:
        """Before any bet: units (positions in the panel) whose contributions are known, however they were chosen."""
        self._meet(found)
        self.met.update(found.groups)
        values = self._dense(numbers, found)
        old = np.zeros((values.shape[0], self.known.size))
        old[: self.known_values.shape[0]] = self.known_values
        self.known, self.known_values = np.append(self.known, numbers), np.concatenate([old, values], axis=1)

    def start(self) -> None:
        """Make the bounds of every group met so far."""
        if not self.is_bounded:
            self._start_asymptotic()
            return
        low, high = (np.array([end for _ in self.groups for end in ends]) for ends in self._piece_ends())
        self.totals = LinearTotals(
            low,
            high,
            self.scores,
            self.rng,
            self.aim,
            ordered=self.ordered,
            known=self.known if self.known.size else None,
            known_values=self.known_values,
        )
        delta = (1 - LATE_SHARE - MISSED_SHARE if self.grows else 1.0) * self.delta
        share = delta / max(len(self.groups) * len(self.atoms), 1)
        self.bounded = [self._bound(group, atom, share) for group in range(len(self.groups)) for atom in self.atoms]

    def _start_asymptotic(self) -> None:
        count = len(self.groups) * len(self.pieces)
        self.student = StudentTotals(count, self.size, self.rng, self.known, self.known_values)
        share = self.delta / max(len(self.groups) * len(self.atoms), 1)
        self.asymptotic = [
            self._limit(group, atom, share) for group in range(len(self.groups)) for atom in self.atoms
        ]  # fmt: skip

    # -- rounds ---------------------------------------------------------------------------------------------

    @property
    def n(self) -> int:
        return self.totals.n if self.is_bounded else self.student.n

    @property
    def judged(self) -> int:
        """Units drawn when the intervals were last told."""
        return self.totals.n if self.is_bounded else self.student.looked

    @property
    def seen(self) -> int:
        return int((self.totals if self.is_bounded else self.student).seen.sum())

    @property
    def complete(self) -> bool:
        return self.seen == self.size

    @property
    def missed_units_max(self) -> int | None:
        """Every group with rows in more units than this has been met; None where nothing is known of that."""
        if not self.is_bounded or self.complete:
            return 0 if self.complete else None
        least = float(self.totals.hazard[~self.totals.seen].min())
        return missed_group_units_max(least, self.size - self.known.size, self.rows_max, MISSED_SHARE * self.delta)

    def draw(self, count: int, worst: int) -> Indices:
        """Positions of the next units to ask, as the `worst` quantity needs them."""
        if not self.is_bounded:
            return self.student.draw(count)
        if not self.bounded:
            left = np.flatnonzero(~self.totals.seen)
            return self.rng.choice(left, min(count, left.size), replace=False)
        quantity = self.bounded[worst]
        return self.totals.draw(count, quantity.family, quantity.focus)

    def upcoming(self, count: int) -> Indices:
        """Positions of about `count` units that later draws will likely be of."""
        return self.totals.upcoming(count) if self.is_bounded else self.student.upcoming(count)

    def observe(self, numbers: Indices, found: Contributions) -> None:
        """What the units last drawn contribute."""
        self.met.update(found.groups)
        new = [group for group in dict.fromkeys(found.groups) if group not in self.groups]
        values = self._dense(numbers, found)
        if not self.is_bounded:
            self.student.observe(values)
            self.lost |= bool(new)
            return
        if self.bounded:
            self.totals.observe(values)
        else:
            self.totals.learn(numbers, values)
        if new:
            self._meet_late(new, numbers, found)

    def _meet_late(self, new: list[Group], numbers: Indices, found: Contributions) -> None:
        """Groups that are met only now bet from now on, on what is kept of delta for them."""
        for group in new:
            self.groups.append(group)
            self.late += 1
            low, high = (np.array(ends) for ends in self._piece_ends())
            self.totals.add_pieces(low, high, numbers, self._dense(numbers, found)[-len(self.pieces) :])
            share = LATE_SHARE * self.delta / (self.late * (self.late + 1)) / len(self.atoms)
            self.bounded += [self._bound(len(self.groups) - 1, atom, share) for atom in self.atoms]

    def quantity(self, group: int, atom: int) -> int:
        """The number of an atom of a group among the quantities of the panel."""
        return group * len(self.atoms) + atom

    def bounds(self, group: int) -> list[Ends]:
        """The interval of each atom of a group; none of a SUM that no unit has added to, which may be NULL."""
        found, totals = (self.bounded, self.totals) if self.is_bounded else (self.asymptotic, self.student)
        values = totals.values[group * len(self.pieces) :]
        return [
            found[self.quantity(group, number)].bounds()
            if all((values[piece, totals.seen] != 0).any() for piece in sums_of(atom))
            else (-math.inf, math.inf)
            for number, atom in enumerate(self.atoms)
        ]

    def estimates(self, group: int) -> list[float]:
        found = self.bounded if self.is_bounded else self.asymptotic
        return [found[self.quantity(group, atom)].estimate() for atom in range(len(self.atoms))]

    def worst(self, group: int, atoms: Sequence[int]) -> int:
        """Of these atoms of a group the one with the widest interval."""
        bounds = self.bounds(group)
        return self.quantity(group, max(atoms, key=lambda atom: _width(bounds[atom])))

    def forecast(self, worst: int) -> float:
        """Units that a quantity will have taken when it is done; infinite where only its interval so far tells."""
        quantity = self.bounded[worst] if self.is_bounded and self.bounded else None
        is_total = isinstance(quantity, Shifted) and isinstance(quantity.inner, BoundedTotal)
        return self.totals.forecast(quantity.family) if quantity is not None and is_total else math.inf

    # -- parts ----------------------------------------------------------------------------------------------

    def _meet(self, found: Contributions) -> None:
        self.groups += [group for group in dict.fromkeys(found.groups) if group not in self.groups]

    def _dense(self, numbers: Indices, found: Contributions) -> Floats:
        """(groups x pieces, k) with zeros where a unit gave no row; columns in the order of `numbers`."""
        values = np.zeros((len(self.groups) * len(self.pieces), numbers.size))
        column = {int(unit): k for k, unit in enumerate(numbers)}
        row = {group: g * len(self.pieces) for g, group in enumerate(self.groups)}
        for k, (unit, group) in enumerate(zip(found.units.tolist(), found.groups, strict=True)):
            if group in row and unit in column:
                values[row[group] : row[group] + len(self.pieces), column[unit]] = found.pieces[:, k]
        return values

    def _piece_ends(self) -> tuple[list[float], list[float]]:
        finite = [
            (piece.low if math.isfinite(piece.low) else -1e30, piece.high if math.isfinite(piece.high) else 1e30)
            for piece in self.pieces
        ]
        return [low for low, _ in finite], [high for _, high in finite]

    def _weights(self, group: int, linear: Linear) -> Floats:
        weights = np.zeros(len(self.groups) * len(self.pieces))
        for piece, factor in linear.factors.items():
            weights[group * len(self.pieces) + piece] = factor
        return weights

    def _form(self, group: int, linear: Linear) -> Form:
        return Form(self._weights(group, linear), *linear_ends(linear, self.pieces))

    def _bound(
        self, group: int, atom: Atom, delta: float
    ) -> Shifted | BoundedRatio | BoundedQuantile | BoundedExtreme | BoundedDistinct:
        if isinstance(atom, Distinct):
            weights = np.stack([self._weights(group, value) for value in atom.values])
            return BoundedDistinct(self.totals, weights, self.rows_max)
        if isinstance(atom, Extreme):
            rows, piece = self._weights(group, atom.rows), group * len(self.pieces) + atom.piece
            return BoundedExtreme(self.totals, piece, rows, self.rows_max, atom.ends, is_max=atom.is_max)
        if isinstance(atom, Quantile):
            return BoundedQuantile(self.totals, self._ranks(group, atom), delta)
        if isinstance(atom, Linear):
            return Shifted(BoundedTotal(self.totals, self._form(group, atom), delta), atom.constant)
        share = Share(self._form(group, atom.top), self._form(group, atom.bottom), _finite(atom), atom.rows_max)
        return BoundedRatio(self.totals, share, self._guess(group, atom), self.error, delta)

    def _ranks(self, group: int, atom: Quantile) -> Ranks:
        below, upto = (np.stack([self._weights(group, part) for part in parts]) for parts in (atom.below, atom.upto))
        rows, thresholds = self._weights(group, atom.rows), np.array(atom.thresholds)
        return Ranks(atom.share, rows, below, upto, thresholds, atom.row_ends, atom.rows_max)

    def _guess(self, group: int, quotient: Quotient) -> float:
        """The ratio among the units that are known."""
        values = self.totals.values[:, self.totals.seen]
        top, bottom = (
            float((self._weights(group, part) @ values).sum()) for part in (quotient.top, quotient.bottom)
        )  # fmt: skip
        return top / bottom if bottom else math.nan

    def _limit(self, group: int, atom: Atom, delta: float) -> Shifted | StudentRatio:
        if isinstance(atom, Linear):
            return Shifted(StudentTotal(self.student, self._weights(group, atom), delta), atom.constant)
        assert isinstance(atom, Quotient)
        return StudentRatio(
            self.student, self._weights(group, atom.top), self._weights(group, atom.bottom), delta
        )  # fmt: skip


@dataclass
class Shifted:
    """A total plus a constant."""

    inner: BoundedTotal | StudentTotal
    constant: float

    @property
    def family(self) -> int:
        assert isinstance(self.inner, BoundedTotal)
        return self.inner.family

    @property
    def focus(self) -> int:
        assert isinstance(self.inner, BoundedTotal)
        return self.inner.focus

    def bounds(self) -> Ends:
        low, high = self.inner.bounds()
        return low + self.constant, high + self.constant

    def estimate(self) -> float:
        return self.inner.estimate() + self.constant


def simplified(atom: Atom, pieces: Sequence[Piece], size: int) -> Atom:
    """A ratio whose denominator is the same in each of `size` units is a total of its numerator."""
    if not isinstance(atom, Quotient):
        return atom
    low, high = linear_ends(atom.bottom, pieces)
    return atom.top.times(1 / (low * size)) if low == high > 0 else atom


def linear_ends(linear: Linear, pieces: Sequence[Piece]) -> Ends:
    """Range of what one unit adds to a linear atom; the constant is no unit's."""
    low = high = 0.0
    for piece, factor in linear.factors.items():
        ends = sorted((_times(factor, pieces[piece].low), _times(factor, pieces[piece].high)))
        low, high = low + ends[0], high + ends[1]
    return low, high


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def are_bounded(atoms: Sequence[Atom], pieces: Sequence[Piece]) -> bool:
    """Whether every unit's part of every atom has a known range."""
    return all(_is_bounded(atom, pieces) for atom in atoms)


def _is_bounded(atom: Atom, pieces: Sequence[Piece]) -> bool:
    if isinstance(atom, Quantile | Extreme | Distinct):
        return True
    if isinstance(atom, Linear):
        return all(map(math.isfinite, linear_ends(atom, pieces)))
    rows = linear_ends(atom.bottom, pieces)
    if _finite(atom) is not None and math.isfinite(atom.rows_max):
        return all(map(math.isfinite, rows))
    return all(map(math.isfinite, (*rows, *linear_ends(atom.top, pieces))))


def _finite(quotient: Quotient) -> Ends | None:
    ends = quotient.row_ends
    return ends if ends is not None and all(map(math.isfinite, ends)) else None


def _width(ends: Ends) -> float:
    half = relative_half_width(*ends)
    return half if math.isfinite(half) else 1e300 if math.isfinite(ends[1] - ends[0]) else math.inf
