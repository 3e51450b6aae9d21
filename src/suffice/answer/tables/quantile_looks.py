"""Quantiles of rows, by group: each look is a fresh sample beside rows that are known by then.

The first rows drawn, and those always read, say which groups there are; what is drawn after that is one random sample
of the rest, bounded once. A look that decides too little becomes known rows of the next one, whose sample is larger:
looks share the failure probability (:mod:`suffice.estimate.spending`), and a group met late is bounded by later draws.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from suffice.answer.tables.asked import require_own_names, rounding_of
from suffice.answer.tables.drawing import Drawing, draw_from, over_base_tables, written_out
from suffice.answer.tables.needs import value_ends
from suffice.answer.tables.tally import Groups
from suffice.estimate.part_known_quantile import PartKnownQuantile, part_known_quantile
from suffice.estimate.spending import look_share
from suffice.estimate.unseen_groups import unseen_group_blocks_max
from suffice.sql.aggregate.decompose import Decomposed
from suffice.sql.aggregate.final_query import FinalQuery, final_query
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.ranked import Ranked, decompose_quantiles
from suffice.sql.aggregate.unit_query import DRAWN_ROWS, drawn_rows
from suffice.tables.reader import Reader
from suffice.tables.scramble import PILOT
from suffice.tables.source import CERTAIN, PART, Source

Floats = npt.NDArray[np.float64]

_UNSEEN_SHARE = 0.05  # of the failure probability, for the size of groups that no draw has met
_GROWTH = 4
_GROUPS_MAX = 2000
_ROWS_MAX = 8_000_000  # values are held in memory


@dataclass(frozen=True)
class QuantilePlan:
    """Attributes:
    names, types: of the result's columns.
    query: keys and the final SELECT.
    final: what makes the result's rows of estimates.
    ranked: by SELECT position.
    """

    names: list[str]
    types: list[str]
    query: Decomposed
    final: FinalQuery
    ranked: dict[int, Ranked]
    drawing: Drawing

    @property
    def source(self) -> Source:
        return self.drawing.source


def plan_quantiles(original: exp.Select, reader: Reader) -> QuantilePlan:
    """Raises :class:`NotSampledError` when the query has to run exactly: ranks need rows that are units."""
    asked = over_base_tables(written_out(original, reader, decompose_quantiles), reader)
    query, ranked = decompose_quantiles(asked.statement)
    drawing = draw_from(asked, reader)
    if drawing.joined_rows_max * drawing.source.rows_per_unit_max != 1:
        raise NotSampledError(
            "a quantile needs rows drawn one by one: suffice scramble the table; no join may multiply"
        )
    names, types = reader.describe(original.sql("duckdb"))
    if other := next((types[i] for i in ranked if not _is_number(types[i])), None):
        raise NotSampledError(f"a quantile of {other} has no relative error")
    require_own_names(names, ranked)
    return QuantilePlan(names, types, query, final_query(query, names, types), ranked, drawing)


def _is_number(type_name: str) -> bool:
    return type_name in ("FLOAT", "DOUBLE") or "INT" in type_name or type_name.startswith("DECIMAL")


@dataclass(frozen=True)
class QuantileLook:
    """Attributes:
    shown: groups [groups] of the result.
    found: by SELECT position, of each group.
    """

    number: int
    shown: npt.NDArray[np.bool_]
    found: dict[int, list[PartKnownQuantile]]
    decided: bool
    unseen_units_max: int
    is_guess: bool = False

    def estimates(self) -> list[Floats]:
        """[groups] of each quantile of the statement."""
        return [np.array([one.estimate for one in column]) for column in self.found.values()]

    def ends(self) -> dict[int, tuple[Floats, Floats]]:
        """By SELECT position: (low, high) [groups]."""
        return {
            position: (np.array([one.low for one in column]), np.array([one.high for one in column]))
            for position, column in self.found.items()
        }


class QuantileLooks:
    """The looks at one statement; arguments as of :class:`suffice.answer.tables.looks.Looks`.

    Attributes:
        units: drawn so far.
    """

    method = "order statistics of a sample beside known rows"

    def __init__(
        self,
        plan: QuantilePlan,
        reader: Reader,
        seed: int,
        error_relative_max: float | None,
        confidence: float,
        deadline_s: float | None = None,
        *,
        every: bool = False,
    ) -> None:
        self.plan, self.reader, self.error, self.every = plan, reader, error_relative_max, every
        self.deadline_s, self.rows_read, self.units = deadline_s, 0, 0
        self.groups = Groups(len(plan.query.keys))
        self._unseen_delta = _UNSEEN_SHARE * (1 - confidence) if self.groups.keys else 0.0
        self._delta = (1 - confidence) - self._unseen_delta
        values = [one.row_value() for one in plan.ranked.values()]
        query = drawn_rows(plan.drawing.statement, plan.query.keys, plan.drawing.table, values)
        self._sql = reader.written(query)
        self._known: list[tuple[npt.NDArray[np.int64], Floats]] = []
        plan.source.start(seed, plan.drawing.columns())

    def run(self) -> Iterator[QuantileLook]:
        """Looks, the last one decided (or what the budget bought); raises :class:`NotSampledError` when all must be
        read."""
        number, size, started = 1, PILOT[1], time.perf_counter()
        self._require_room(sum(PILOT))
        self._draw([PILOT[0]], known=True)
        while True:
            look = self._look(number, size)
            enough = look.decided or not self._time_for(_GROWTH * size, started)
            if enough or self.every:
                yield look
            if enough:
                return
            number, size = number + 1, _GROWTH * size
            try:
                self._require_room(size)
            except NotSampledError:
                if self.deadline_s is None or self.error is not None:
                    raise
                yield look
                return

    def predict(self) -> float:
        """Units that the whole run will probably read, from a first look."""
        self._require_room(sum(PILOT))
        self._draw([PILOT[0]], known=True)
        decided = self._look(1, PILOT[1]).decided
        return float(self.units * (1 if decided else _GROWTH))

    def _time_for(self, units: int, started: float) -> bool:
        if self.deadline_s is None:
            return True
        now = time.perf_counter()
        return units * (now - started) / max(self.units, 1) < 0.7 * (self.deadline_s - now)

    def _require_room(self, size: int) -> None:
        source = self.plan.source
        most = min(source.share_max * source.units, _ROWS_MAX)
        if self.units + size > most:
            raise NotSampledError(
                f"a sample would have to read more than {most / max(source.units, 1):.0%} of the table"
            )

    def _draw(self, sizes: list[int], *, known: bool) -> tuple[npt.NDArray[np.int64], Floats]:
        """(group [rows], values [rows, quantiles]) of rows drawn now; always-read rows go to what is known."""
        drawn = self.plan.source.draw(sizes)
        table = self.reader.table(self._sql.replace(DRAWN_ROWS, drawn.relation_sql))
        self.rows_read += drawn.rows + self.plan.drawing.rows_whole
        self.units += sum(drawn.units)
        table = table.sort_by(self._order())
        part, group = table.column(PART).to_numpy(), self.groups.number(table)
        if len(self.groups) > _GROUPS_MAX:
            raise NotSampledError(f"it has more than {_GROUPS_MAX:,} groups")
        columns = [table.column(f"__u{i}").to_numpy(zero_copy_only=False) for i in range(len(self.plan.ranked))]
        values = np.stack(columns, axis=1) if columns[0].size else np.zeros((0, len(columns)))
        fresh = np.zeros(len(part), bool) if known else part != CERTAIN
        self._known.append((group[~fresh], values[~fresh]))
        return group[fresh], values[fresh]

    def _order(self) -> list[tuple[str, str]]:
        return [(name, "ascending") for name in (PART, *(f"__k{i}" for i in range(self.groups.keys)))]

    def _look(self, number: int, size: int) -> QuantileLook:
        groups = 1 if not self.groups.keys else len(self.groups)
        left = self.plan.source.units - self.units
        known_group, known = (np.concatenate(each) for each in zip(*self._known, strict=True))
        group, values = self._draw([size], known=False)
        if not self.groups.keys:
            self.groups.number_all()
        delta = self._delta * look_share(number) / max(groups * len(self.plan.ranked), 1)
        found: dict[int, list[PartKnownQuantile]] = {}
        for i, (position, one) in enumerate(self.plan.ranked.items()):
            found[position] = [
                part_known_quantile(
                    _present(known[known_group == g, i]), _present(values[group == g, i]), one.share, size, left, delta
                )
                for g in range(groups)
            ]
        late = len(self.groups) > groups
        self._known.append((group, values))
        unseen = 0 if not self.groups.keys else self._unseen_units(number)
        shown = np.zeros(len(self.groups), bool)
        shown[:groups] = True
        for column in found.values():  # groups met just now wait for the next look
            column.extend([PartKnownQuantile(np.nan, -np.inf, np.inf)] * (len(self.groups) - groups))
        decided = not late and self.error is not None and all(self._is_within(p, c) for p, c in found.items())
        return QuantileLook(number, shown, found, decided, unseen)

    def _is_within(self, position: int, column: list[PartKnownQuantile]) -> bool:
        estimate = np.array([one.estimate for one in column])
        kind = self.plan.types[position]
        below, above = value_ends(estimate, rounding_of(kind), self.error)
        low, high = np.array([one.low for one in column]), np.array([one.high for one in column])
        return bool(((low >= below) & (high <= above) | ((low == high) & (low == estimate))).all())

    def _unseen_units(self, number: int) -> int:
        drawn = PILOT[0] + PILOT[1] * sum(_GROWTH**k for k in range(number))
        source = self.plan.source
        return unseen_group_blocks_max(drawn, source.units, source.rows, self._unseen_delta * look_share(number))


def _present(values: Floats) -> Floats:
    return values[~np.isnan(values)]
