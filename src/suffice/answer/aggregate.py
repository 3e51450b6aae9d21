"""COUNT, SUM, AVG and arithmetic of them over what models give, from as few units as the guarantee allows.

Units are frames, pictures, pages or rows of a table: all rows that hang on one unit come together, so they are one
cluster. Each round asks a few more units, drawn at random where they tell most, and every interval after every round
holds with all others at the stated confidence. So the loop may stop whenever it likes: at the error that was asked, at
the end of a budget, or when nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.answer.aggregate_guarantee import guarantee_of
from suffice.answer.aggregate_rows import AnswerColumns, Cell, answer_rows
from suffice.answer.asked import CONFIDENCE, asked_of, with_units
from suffice.answer.auto_proxy import UNITS, Tried, check_written, choose_proxy, draws_saved, is_auto
from suffice.answer.bounded_query import bounded_query
from suffice.answer.check_units import agrees
from suffice.answer.engine import BudgetReachedError, Engine
from suffice.answer.evaluate import atoms_in, holds, is_key, value_ends
from suffice.answer.exact_reason import exact_answer
from suffice.answer.first_total import first_total
from suffice.answer.guaranteed import Answer
from suffice.answer.likeness import Asked, asked_likeness, likeness
from suffice.answer.panel import Panel, simplified
from suffice.answer.proxy_scores import proxy_scores
from suffice.answer.rounds import next_count
from suffice.answer.sample_budget import SampleBudget
from suffice.answer.truth import Truth, corrections, read_truth
from suffice.answer.unit_sample import NONE, Contributions, UnitSample
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.relative import relative_half_width
from suffice.sql.plan import Bound
from suffice.sql.sparse import plan_sparsely
from suffice.sql.target import Target
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.unit_query import UnitQuery

Indices = npt.NDArray[np.int64]
Ends = tuple[float, float]

NOT_EXPLAINED = "the statement could not be taken apart by unit"

PILOT_UNITS = 24
AHEAD_UNITS = 256
FULL_SCAN_SHARE = 0.95
"""A sample that will need more than this share of the units is not worth the seeking: all are looked at in order."""


def answer_aggregate(engine: Engine, bound: Bound, target: Target, seed: int, work: Work) -> Iterator[Answer]:
    """Answers to an aggregate, each closer than the one before.

    Raises:
        UsageError: the target does not fit; the message says what can be asked instead.
    """
    plan = plan_sparsely(with_units(engine, bound), engine.describe)
    asked = asked_of(target)
    try:
        query, pilot = bounded_query(engine, plan, target, seed, work)
    except NoBoundError as reason:
        if target.truth is not None:
            raise UsageError(f"TRUTH {target.truth}: {reason}, so labels of units say nothing of it") from None
        yield _exact_within_budget(engine, bound, target, seed, work, str(reason))
        return
    run = AggregateRun(engine, bound, query, target, seed, work, pilot=pilot)
    if not run.sample.size:
        _refuse_empty(engine, query)
        yield exact_answer(engine, bound, asked, seed, work, "no unit can matter", 0)
        return
    yield from run.answers()


def _refuse_empty(engine: Engine, query: UnitQuery) -> None:
    media = query.plan.bound.media[query.relation]
    ((rows,),) = engine.database.rows(f"SELECT count(*) FROM {media.table}")
    if not rows:
        raise UsageError(
            f"{'the table' if media.function == 'table' else f'{media.function}()'} has no rows, so there is nothing to"
            " estimate: look at SELECT * FROM problems, or ask without WITHIN and BUDGET for the exact (empty) answer"
        )


def _exact_within_budget(engine: Engine, bound: Bound, target: Target, seed: int, work: Work, reason: str) -> Answer:
    if target.budget_calls is not None or target.budget_s is not None:
        raise UsageError(f"{reason}: no budget can buy an interval; ask without BUDGET for the exact answer")
    counts = [engine.database.rows(f"SELECT count(*) FROM {m.table}")[0][0] for m in bound.media.values()]
    return exact_answer(engine, bound, asked_of(target), seed, work, reason, max(map(int, map(str, counts)), default=0))


@dataclass
class AggregateRun:
    """One statement being answered."""

    engine: Engine
    bound: Bound
    query: UnitQuery
    target: Target
    seed: int
    work: Work
    panels: list[Panel] = field(default_factory=list)
    pilot: int = 0
    """Units that were asked already to take the statement apart."""
    is_blind: bool = False
    """Whether what the store knows is drawn like anything else: the coverage lab replays paid results."""

    truth: Truth | None = None
    shifts: list[Ends] = field(default_factory=list)
    """With labels: for each atom what the truth adds to the model's total."""

    def __post_init__(self) -> None:
        self.sample = UnitSample(self.engine, self.query, self.work)
        self.budget = SampleBudget(self.engine, self.target, self.sample, self.work)
        self.rng = np.random.default_rng(self.seed)
        self.confidence = self.target.confidence or CONFIDENCE
        self.columns = AnswerColumns.of(self.engine, self.bound, self.query)
        self.known = np.zeros(self.sample.size, dtype=bool)
        self.represented = 0
        self.tried: list[Tried] = []
        self.is_explained: bool | None = None

    # -- the loop -------------------------------------------------------------------------------------------

    def answers(self) -> Iterator[Answer]:
        self.budget.check()
        if not self.is_blind:
            self.known = self.sample.known()
        self.kept = int(self.known.sum()) - self.pilot
        if self.target.truth is not None:
            self._take_truth(self.target.truth)
        scores, self.proxy_name = self._scores()
        self._make_panels(scores)
        if not self._learn():
            yield self._exact(NOT_EXPLAINED)
            return
        for panel in self.panels:
            panel.start()
        while (open_ := self._open()) and not self._is_hopeless(open_) and not any(p.lost for p in self.panels):
            yield self._answer()
            if not self._round(open_):
                break
        yield self._last()

    def _scores(self) -> tuple[npt.NDArray[np.float64], str]:
        if is_auto(self.target.proxy, self.query.plan.bound.media[self.query.relation].columns):
            self._choose_proxy()
        if (asked := asked_likeness(self.target.proxy)) is not None:
            return self._by_likeness(asked)
        query, media = self.query, self.query.plan.bound.media[self.query.relation]
        with self.budget.on_proxy():
            return proxy_scores(self.engine, media, query.key, query.alias, self.target, self.sample, self.work)

    def _choose_proxy(self) -> None:
        """Ask a few units and let what they give say which cheap score is worth its price."""
        left = np.flatnonzero(~self.known)
        count = min(left.size, UNITS, self.budget.affordable() // 4)
        proxy, chosen = str(self.target.proxy), None
        check_written(self.engine, self.query, proxy, self.sample, self.work)
        if count >= UNITS // 2:
            units = np.sort(self.rng.choice(left, count, replace=False))
            values = first_total(self.query, self._ask(units, count), units)
            self.known[units], self.pilot = True, self.pilot + count
            saved = draws_saved(values, self.target, self.confidence, self.sample.size)
            with self.budget.on_proxy():
                chosen, self.tried = choose_proxy(
                    self.engine, self.query, proxy, self.sample, self.work, units, values, saved
                )
        self.target = replace(self.target, proxy=chosen)

    def _by_likeness(self, asked: Asked) -> tuple[npt.NDArray[np.float64], str]:
        """Ask the representatives and let them, and all that is known, say what to expect of the rest."""
        most = self.budget.affordable() // 4
        with self.budget.on_proxy():
            found = likeness(self.engine, self.query, asked, self.sample, self.work, most)
        new = found.representatives[~self.known[found.representatives]]
        self.known[new], self.represented = True, new.size
        units = np.flatnonzero(self.known)
        values = first_total(self.query, self._ask(units, new.size), units)
        return found.scores(units, values), found.name

    def _take_truth(self, table: str) -> None:
        """Ask the units that people looked at, and bound what the model gets wrong over all units."""
        rng = np.random.default_rng(self.rng.integers(1 << 62))
        self.columns = replace(self.columns, whole=(False,) * len(self.columns.names))  # labels may be fractions
        self.truth = read_truth(self.engine, self.query, table, self.columns.names, self.sample, rng)
        found = self._ask(self.truth.units)
        self.known[self.truth.units] = True
        self.kept = int(self.known.sum()) - self.truth.units.size
        self.shifts = corrections(self.query, self.truth, found, self.sample.size, (1 - self.confidence) / 2)

    def _bounds(self, panel: Panel, group: int) -> list[Ends]:
        """The interval of each atom of a group, of the truth where labels say how far the model is from it."""
        ends = panel.bounds(group)
        shifts = self.shifts or [(0.0, 0.0)] * len(ends)
        return [(low + down, high + up) for (low, high), (down, up) in zip(ends, shifts, strict=True)]

    def _estimates(self, panel: Panel, group: int) -> list[float]:
        values = panel.estimates(group)
        shifts = self.shifts or [(0.0, 0.0)] * len(values)
        return [value + (down + up) / 2 for value, (down, up) in zip(values, shifts, strict=True)]

    def _open(self) -> list[Panel]:
        return [panel for panel in self.panels if not panel.complete and self._worst(panel) is not None]

    def _last(self) -> Answer:
        """The answer at the end: exact when all had to be looked at, else the intervals as they are."""
        if self.is_explained is False:
            return self._exact(NOT_EXPLAINED)
        if any(panel.lost for panel in self.panels):
            return self._exact("a group was met late that no limit theorem was kept for")
        unmet = any(self._worst(panel) is not None for panel in self.panels)
        if self.truth is None and all(panel.complete for panel in self.panels):
            return self._exact("every unit was looked at")
        if self.truth is not None and unmet and not self.budget.is_limited:
            raise UsageError(
                f"TRUTH {self.truth.table}: {self.truth.units.size} labels leave more than the error asked even when"
                " the model looks at everything: label more units, ask a wider WITHIN, or BUDGET for what there is"
            )
        if unmet and not self.budget.is_limited:
            return self._exact("a sample would have needed nearly every unit")
        self.sample.close(self.known)
        return self._answer()

    def _exact(self, reason: str) -> Answer:
        return exact_answer(
            self.engine, self.bound, asked_of(self.target), self.seed, self.work, reason, self.sample.size
        )  # fmt: skip

    def _round(self, panels: list[Panel]) -> bool:
        """Ask some more units; False when the budget does not reach for them."""
        drawn = []
        allowed = self.budget.affordable()
        for panel in panels:
            worst = self._worst(panel)
            count = min(self._count(panel), allowed // len(panels))
            if count < 1 or worst is None:
                return False
            drawn.append(panel.draw(count, worst))
        total = sum(part.size for part in drawn)
        if total > allowed or not total:
            return False
        try:
            found = self._ask(
                np.concatenate([p.units[d] for p, d in zip(panels, drawn, strict=True)]),
                total,
                np.concatenate([p.units[p.upcoming(AHEAD_UNITS // len(panels))] for p in panels]),
            )
        except BudgetReachedError:
            return False  # what this round cost tells of its values, so all of it is left out
        if not self._is_explained(found):
            return False
        for panel, part in zip(panels, drawn, strict=True):
            panel.observe(part, self._in_panel(panel, found))
        return True

    def _is_explained(self, found: Contributions) -> bool:
        """Whether the units last asked, put together, are what the statement says of them; looked at once."""
        if self.is_explained is None:
            self.is_explained = agrees(self.engine, self.query, found)
        return self.is_explained

    def _ask(self, units: Indices, new: int = 0, upcoming: Indices = NONE) -> Contributions:
        """Ask units; of `new` of them nothing is known."""
        with self.budget.on_units(new):
            return self.sample.ask(units, upcoming)

    def _count(self, panel: Panel) -> int:
        errors = [self._error(panel, group) for group in range(len(panel.groups))]
        return next_count(panel.n, max(errors, default=np.inf), panel.size)

    # -- what is left to do ---------------------------------------------------------------------------------

    def _worst(self, panel: Panel) -> int | None:
        """The quantity of the panel that needs more units most; None when all of its rows are done."""
        if not panel.groups:
            return 0 if panel.grows and not panel.complete else None
        open_ = [(self._error(panel, g), g) for g in range(len(panel.groups))]
        error, group = max(open_)
        return None if error <= 1.0 else panel.worst(group, self._open_atoms(panel, group))

    def _open_atoms(self, panel: Panel, group: int) -> list[int]:
        """Atoms of the first column or condition of a group that is not settled."""
        atoms = self._bounds(panel, group)
        if self.query.having is not None and holds(self.query.having, atoms) is None:
            return sorted(atoms_in(self.query.having))
        outputs = [node for node in self.query.outputs if atoms_in(node)]
        worst = max(outputs, key=lambda node: _order(relative_half_width(*value_ends(node, atoms))))
        return sorted(atoms_in(worst))

    def _error(self, panel: Panel, group: int) -> float:
        """How far a group is from being done: at most 1 when it is."""
        atoms = self._bounds(panel, group)
        if self.query.having is not None:
            verdict = holds(self.query.having, atoms)
            if verdict is not True:
                return float("inf") if verdict is None else 0.0
        goal = self.target.error_relative_max
        if goal is None:
            return float("inf") if any(high > low for low, high in atoms) else 0.0
        ends = [self._whole(node, value_ends(node, atoms)) for node in self.query.outputs if not is_key(node)]
        return max((relative_half_width(*each) / goal for each in ends), default=0.0)

    def _whole(self, node: Any, ends: Ends) -> Ends:
        return self.columns.tightened(self.query.outputs.index(node), ends)

    def _is_hopeless(self, panels: list[Panel]) -> bool:
        """Whether a sample would need nearly all units anyway, told from what the intervals have reached so far."""
        if self.budget.is_limited or self.truth is not None:
            return False
        if sum(panel.seen for panel in self.panels) > self.sample.size / 2:
            return False  # most is paid for: what is left costs a sample no more than the scan
        needed, size = 0.0, 0
        for panel in self.panels:
            size += panel.size
            needed += self._needed(panel) if panel in panels else panel.seen
        return needed >= FULL_SCAN_SHARE * size

    def _needed(self, panel: Panel) -> float:
        """Units the panel will need in the end: as what was seen says of totals, else by the width so far, which falls
        with the square root of 1/n - 1/N."""
        n, size = panel.judged, panel.size - int(panel.known.size)
        if n < max(32, 0.25 * size):
            return float(panel.seen)
        errors = [self._error(panel, group) for group in range(len(panel.groups))]
        worst = max(errors, default=np.inf)
        number = self._worst(panel)
        told = panel.forecast(number) if number is not None else np.inf
        by_width = 1 / (1 / size + (1 / n - 1 / size) / max(worst, 1.0) ** 2) if np.isfinite(worst) else np.inf
        return float(min(panel.known.size + min(told, by_width), panel.size))

    # -- panels ---------------------------------------------------------------------------------------------

    def _make_panels(self, scores: npt.NDArray[np.float64]) -> None:
        labels = self.sample.labels()
        members: dict[tuple[Any, ...], list[int]] = {}
        if labels is None:
            members[()] = list(range(self.sample.size))
        else:
            for unit, label in enumerate(labels):
                members.setdefault(label, []).append(unit)
        grows = labels is None and bool(self.query.keys)
        seeds = self.rng.spawn(len(members))
        for (label, units), rng in zip(members.items(), seeds, strict=True):
            chosen = np.array(units, dtype=np.int64)
            self.panels.append(
                Panel(
                    units=chosen,
                    scores=scores[chosen],
                    pieces=self.query.formulas.pieces,
                    atoms=[
                        simplified(atom, self.query.formulas.pieces, chosen.size) for atom in self.query.formulas.atoms
                    ],
                    delta=(1 - self.confidence) / len(members) * (1 if self.truth is None else 0.5),
                    error=self.target.error_relative_max or 0.05,
                    aim=self.aim_of(chosen.size / self.sample.size),
                    rng=rng,
                    ordered=self.query.plan.bound.media[self.query.relation].function == "frames",
                    grows=grows,
                    groups=[] if grows else [label],
                    rows_max=self.query.formulas.rows_max,
                )
            )

    def aim_of(self, share: float) -> Aim:
        if self.target.error_relative_max is not None:
            return Aim(relative=self.target.error_relative_max)
        calls = self.target.budget_calls
        return Aim(horizon=max(1, int(calls * share))) if calls is not None else Aim()

    def _learn(self) -> bool:
        """Take in what is kept and ask the pilots; whether the units found so far explain the statement itself."""
        pilots = [self._pilot(panel) for panel in self.panels]
        first = np.flatnonzero(self.known)
        chosen = np.unique(np.concatenate([first, *pilots]))
        if not chosen.size:
            chosen = first
        if chosen.size:
            found = self._ask(chosen, chosen.size - first.size)
            if not self._is_explained(found):
                return False
            for panel in self.panels:
                mine = np.flatnonzero(np.isin(panel.units, chosen))
                panel.learn(mine, self._in_panel(panel, found))
        return True

    def _pilot(self, panel: Panel) -> Indices:
        """Units to ask before the first bet, where one is needed."""
        left = panel.units[~self.known[panel.units]]
        is_enough = int(self.known[panel.units].sum()) >= PILOT_UNITS and not panel.grows
        if not panel.needs_pilot or is_enough:
            return np.zeros(0, dtype=np.int64)
        count = min(left.size, PILOT_UNITS, max(self.budget.affordable() // (2 * len(self.panels)), 1))
        return panel.rng.choice(left, count, replace=False)

    def _in_panel(self, panel: Panel, found: Contributions) -> Contributions:
        """Contributions of the panel's own units, numbered by their position in it."""
        mine = np.isin(found.units, panel.units)
        where = np.searchsorted(panel.units, found.units[mine])
        groups = [group for group, keep in zip(found.groups, mine, strict=True) if keep]
        return Contributions(where.astype(np.int64), groups, found.pieces[:, mine])

    # -- the answer -----------------------------------------------------------------------------------------

    def _answer(self) -> Answer:
        cells: list[list[Cell]] = []
        undecided = 0
        for panel in self.panels:
            for group, label in enumerate(panel.groups):
                if self.query.keys and panel.complete and label not in panel.met:
                    continue  # no unit has a row of it: the exact answer has no such group
                atoms, estimates = self._bounds(panel, group), self._estimates(panel, group)
                verdict = True if self.query.having is None else holds(self.query.having, atoms)
                undecided += verdict is None
                if verdict is not False:
                    cells.append(
                        self.columns.cells(label, atoms, estimates, self.target.error_relative_max is not None)
                    )
        rows, intervals = answer_rows(self.columns, cells, self.query.order)
        return Answer(rows, guarantee_of(self, intervals, undecided))


def _order(width: float) -> float:
    return width if np.isfinite(width) else 1e300
