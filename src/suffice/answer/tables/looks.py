"""Draw some units, bound, draw more: until everything asked is decided, the budget is spent, or all had better be read.

A first draw sets stakes; the next ones are as large as the bounds so far say is needed. Intervals hold at all looks at
once, so looking costs nothing, and every row read counts in the answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.claims import Claims
from suffice.answer.tables.decision import Intervals, is_within, shown_groups
from suffice.answer.tables.formula_interval import formula_interval
from suffice.answer.tables.needs import Needs
from suffice.answer.tables.sampling_plan import SamplingPlan
from suffice.answer.tables.tally import Groups, Part, Tally
from suffice.estimate.spending import look_share
from suffice.estimate.unseen_groups import unseen_group_blocks_max
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import fraction_of
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.unit_query import DRAWN_BESIDE, DRAWN_ROWS
from suffice.tables.reader import Reader
from suffice.tables.scramble import PILOT, Scramble
from suffice.tables.source import Drawn

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_UNSEEN_SHARE = 0.05
"""Of the failure probability, for the size of groups that no draw has met."""

_GROUPS_MAX = 5000
_PUT_DOWN = "__suffice_put_down"
_AIM = 0.97  # of the half-widths needed, aimed at so that one more look suffices
_FEW, _SPARE = 500_000, 1.2  # units that are read sooner than another look is made: then a few more are drawn
_GROWTH, _STREAMED_GROWTH = 16.0, 2.0  # of the sample from look to look at most
_LEAST_GROWTH = 16  # a part of the sample that no look is worth less than
_GROWTH_SURE, _SURE = 64.0, 100  # … where every group has been met in so many units
_GROWTH_BESIDE = 64.0  # … where each look reads other tables as well
_PILOT_OF_WHOLE = 1 / 16  # of the rows read whole by each look, drawn by the first one at least …
_PILOT_MOST = 0.02  # … up to this share of the units
_SPLIT_SHARE = 0.04  # a larger part of the table is bet on in several parts, which gain as the rest shrinks


@dataclass(frozen=True)
class Look:
    """What is known after a draw.

    Attributes:
        shown: groups of the result.
        is_guess: whether HAVING, or ORDER BY with LIMIT, went by the estimates to say which those are.
        intervals: of every asked formula, (low, high) [groups].
        nulls: of every aggregate of the statement, groups in which it may be NULL.
        unseen_units_max: groups with rows in more units are not missing.
    """

    number: int
    needs: Needs
    intervals: Intervals
    nulls: list[Bools]
    shown: Bools
    is_guess: bool
    decided: bool
    unseen_units_max: int

    def estimates(self) -> list[Floats]:
        """[groups] of each aggregate of the statement; not a number where nothing is known of it."""
        formulas = [formula for _, formula in self.needs.plan.query.aggregates]
        values = [formula.value_and_gradient(self.needs.totals)[0] for formula in formulas]
        return [np.where(unknown, np.nan, value) for unknown, value in zip(self.nulls, values, strict=True)]

    def ends(self) -> dict[int, tuple[Floats, Floats]]:
        """By SELECT position: (low, high) [groups]."""
        return {i: self.intervals[formula] for i, formula in self.needs.plan.asked.values.items()}


class Looks:
    """The looks at one statement.

    Args:
        error_relative_max: None when the budget alone decides.
        deadline_s: on `time.perf_counter`, None for none.
        every: whether looks that decide nothing are wanted as well.
    """

    method = "betting on sums of units (anytime-valid)"

    def __init__(
        self,
        plan: SamplingPlan,
        reader: Reader,
        seed: int,
        error_relative_max: float | None,
        confidence: float,
        deadline_s: float | None = None,
        *,
        every: bool = False,
    ) -> None:
        self.plan, self.reader, self.error, self.every = plan, reader, error_relative_max, every
        self.deadline_s, self.rows_read, self._pace = deadline_s, 0, 0.0
        self._known_needs: tuple[tuple[int, int], Needs] | None = None
        self._needed = np.zeros((0, 0))
        keys = len(plan.query.keys)
        self.tally = Tally(plan.low, plan.high, plan.pairs(), keys)
        self._unseen_delta = _UNSEEN_SHARE * (1 - confidence) if keys else 0.0
        delta = (1 - confidence) - self._unseen_delta
        self.claims = Claims(plan.fractions, plan.low, plan.high, plan.source.units, self.tally, delta)
        plan.source.start(seed, plan.drawing.columns())

    @property
    def groups(self) -> Groups:
        """Met so far."""
        return self.tally.groups

    @property
    def units(self) -> int:
        """Drawn so far."""
        return self.tally.units

    def run(self) -> Iterator[Look]:
        """Looks, the last one decided (or what the budget bought); raises :class:`NotSampledError` when all must be
        read."""
        sizes, number = self._first_sizes(), 1
        while True:
            self._draw(sizes)
            wanted = self._wanted()
            look = None if self._is_far(wanted) else self._look(number)
            sizes = [] if look is not None and look.decided else self._next_sizes(wanted)
            if not sizes and look is None:
                raise NotSampledError("no row that was drawn matches")
            if look is not None and (self.every or not sizes):
                yield look
            if not sizes:
                return
            number += 1

    def _is_far(self, wanted: float) -> bool:
        """Whether as much again has to be drawn and nobody asks what is known so far, so that no look is worth it."""
        if wanted <= self.tally.units or self.every or self.error is None or self.deadline_s is not None:
            return False
        asked = self.plan.asked
        is_plain = not asked.differences and asked.order is None  # these may be decided by less than is wanted
        return is_plain and all(fraction_of(formula) is not None for formula in asked.values.values())

    def predict(self) -> float:
        """Units that the whole run will probably read, from a first draw; raises :class:`NotSampledError` as
        :meth:`run`."""
        self._draw(self._first_sizes())
        wanted = self._wanted()
        if not self.tally.units + wanted <= self.plan.source.share_max * self.plan.source.units:
            raise NotSampledError(
                f"a sample would have to read more than {self.plan.source.share_max:.0%} of the table"
            )
        return self.tally.units + wanted

    # -- drawing --------------------------------------------------------------------------------------------

    def _first_sizes(self) -> list[int]:
        source = self.plan.source
        if source.pilot_units > source.share_max * source.units:
            raise NotSampledError(f"the table is small ({source.rows:,} rows)")
        if source.rows_per_unit_max > 1:
            return [source.pilot_units // 4, source.pilot_units]
        worth = max(_PILOT_OF_WHOLE * self.plan.drawing.rows_whole, self._rows_read_anyhow())
        worth = min(worth, _PILOT_MOST * source.units)
        return [max(1, int(worth / sum(PILOT))) * size for size in PILOT]

    def _rows_read_anyhow(self) -> int:
        """Of a row group, where a condition leaves only some of its rows: fewer tell too little of what comes next."""
        is_filtered = self.plan.drawing.statement.args.get("where") is not None
        return self.plan.source.rows_per_group if is_filtered and isinstance(self.plan.source, Scramble) else 0

    @np.errstate(invalid="ignore")  # of what is undefined so far, here and below: such a claim says nothing
    def _draw(self, sizes: list[int]) -> None:
        plan, started = self.plan, time.perf_counter()
        drawn = plan.source.draw(sizes)
        sql = self._unit_sql().replace(DRAWN_ROWS, self._rows_sql(drawn)).replace(DRAWN_BESIDE, drawn.beside_sql)
        table = self.reader.table(sql)
        if table.num_rows > _GROUPS_MAX * (len(sizes) + 1):
            raise NotSampledError(f"it has more than {_GROUPS_MAX:,} groups")
        self.rows_read += drawn.rows + plan.drawing.rows_whole
        for part in self.tally.read(table, drawn.units):
            self._require_in_range(part)
            self.claims.take(part, self._aims() if self.tally.units else None)
            if self.tally.units:
                self.claims.meet_groups(None if self.error is None else lambda: self._needs().half_widths)
        self._pace = sum(drawn.units) / max(time.perf_counter() - started, 1e-6)

    def _unit_sql(self) -> str:
        """The ends of values are asked for by the first draw, which checks them, and later where they help."""
        wants_ends = self.error is None or not self.tally.groups_met() or not self.tally.units
        if wants_ends or self.claims.wants_ends(self._needed, _AIM * self._needs().half_widths):
            return self.plan.unit_sql
        return self.plan.endless_unit_sql

    def _rows_sql(self, drawn: Drawn) -> str:
        """What is joined with other tables is put down first: DuckDB's guess of its size would hash the large ones."""
        if self.plan.drawn_sql is None:
            return drawn.relation_sql
        select = self.plan.drawn_sql.replace(DRAWN_ROWS, drawn.relation_sql)
        self.reader.rows(f"CREATE OR REPLACE TEMP TABLE {_PUT_DOWN} AS {select}")
        return _PUT_DOWN

    def _require_in_range(self, part: Part) -> None:
        """What was promised of values holds for those seen; raises :class:`NotSampledError` where it does not."""
        if part.units is None:
            return
        slack = 1e-9 * (np.abs(self.plan.low) + np.abs(self.plan.high))
        low, high = part.low.min(axis=1, initial=0.0), part.high.max(axis=1, initial=0.0)
        if ((low < self.plan.low - slack) | (high > self.plan.high + slack)).any():
            raise NotSampledError("a value lies outside the range that the catalogue states")

    def _aims(self) -> Floats:
        """Half-widths [fractions, groups] that the next stakes aim at."""
        if self.error is None:
            return self.claims.reachable(self._affordable())
        return _AIM * self._needs().half_widths

    def _affordable(self) -> int:
        """Units in all that the budget will probably buy."""
        left = 0.0 if self.deadline_s is None else max(self.deadline_s - time.perf_counter(), 0.0)
        most = self.plan.source.share_max * self.plan.source.units
        return int(min(max(self.tally.units + left * self._pace, 4 * self.tally.units), most))

    def _next_sizes(self, wanted: float) -> list[int]:
        """Of the parts to draw next, `wanted` units until all is decided; none when the budget is spent."""
        if self.deadline_s is not None:
            room = 0.7 * (self.deadline_s - time.perf_counter()) * self._pace
            if room < 0.25 * self.tally.units:
                return []
        source, drawn = self.plan.source, self.tally.units
        if self.tally.groups_met() and any(self._may_be_null(f).any() for f in self.plan.asked.formulas):
            wanted = max(wanted, _GROWTH * drawn)  # a row that adds to it may come, or there is none
        most = int(source.share_max * source.units) - drawn
        if self.error is None:
            return self._split(min(int(room), most, int(_STREAMED_GROWTH * drawn))) if most > 0 else []
        if wanted > most:
            if self.deadline_s is not None and most > 0:
                return self._split(min(int(room), most))
            raise NotSampledError(f"a sample would have to read more than {source.share_max:.0%} of the table")
        is_sure = bool((self.tally.met() >= _SURE).all())
        growth = _GROWTH_BESIDE if self.plan.drawn_sql is not None else _GROWTH_SURE if is_sure else _GROWTH
        growth = _STREAMED_GROWTH if self.every else growth
        size = int(min(max(wanted, drawn / _LEAST_GROWTH), growth * drawn, most))
        return self._split(size if self.deadline_s is None else min(size, int(room)))

    @np.errstate(invalid="ignore")
    def _wanted(self) -> float:
        """More units until everything is decided, as far as can be told."""
        if self.error is None or not self.tally.groups_met():
            return np.inf
        self._needed = self.claims.units_needed(_AIM * self._needs().half_widths)
        most = float(np.nan_to_num(self._needed, nan=np.inf).max(initial=0.0))
        is_cheap = most < _FEW or self.plan.drawing.rows_whole  # beside what a look costs anyway
        return most * (_SPARE if is_cheap else 1.0)

    def _split(self, size: int) -> list[int]:
        size = int(float(f"{size:.5g}"))  # the last digits of sums of doubles differ from thread to thread
        parts = 1 if size < _SPLIT_SHARE * self.plan.source.units else 3
        return [max(size // parts, 1)] * parts

    # -- looking --------------------------------------------------------------------------------------------

    def _needs(self) -> Needs:
        """At what the tally holds by now."""
        state = self.tally.parts, len(self.tally.groups)
        if self._known_needs is None or self._known_needs[0] != state:
            self._known_needs = state, Needs(self.plan, self.claims.totals(), self.error)
        return self._known_needs[1]

    @np.errstate(invalid="ignore")
    def _look(self, number: int) -> Look | None:
        """None when no group has been met."""
        if not self.tally.groups_met():
            return None
        needs = self._needs()
        low, high = self.claims.intervals(needs.half_widths)
        formulas = self.plan.asked.formulas
        intervals = {f: self._where_known(f, *formula_interval(f, self.plan.fractions, low, high)) for f in formulas}
        unseen = self._unseen_units()
        shown = shown_groups(needs, intervals, unseen)
        decided = shown is not None and self.error is not None and is_within(needs, intervals, shown)
        nulls = [self._may_be_null(formula) for _, formula in self.plan.query.aggregates]
        chosen = needs.chosen if shown is None else shown
        return Look(number, needs, intervals, nulls, chosen, shown is None, decided, unseen)

    def _where_known(self, formula: Formula, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Its ends, but where no row drawn has added to a SUM: that may be NULL."""
        unknown = self._may_be_null(formula)
        return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)

    def _may_be_null(self, formula: Formula) -> Bools:
        """[groups]"""
        sums = sorted(formula.sums() & self.plan.nullable)
        return np.asarray((self.tally.known()[sums] == 0).any(axis=0))

    def _unseen_units(self) -> int:
        """Groups with rows in more units than this are not missing."""
        if not self.plan.query.keys:
            return 0
        # How much is drawn depends on what was seen, so the claim is made at doublings of the first draw, fixed before.
        source, first = self.plan.source, min(self.plan.source.pilot_units, self.tally.units)
        doublings = max(0, int(np.log2(self.tally.units / max(first, 1))))
        delta = self._unseen_delta * look_share(doublings + 1)
        rows = source.rows * self.plan.drawing.joined_rows_max
        return unseen_group_blocks_max(first * 2**doublings, source.units, rows, delta)
