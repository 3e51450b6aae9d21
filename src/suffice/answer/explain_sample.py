"""EXPLAIN of a statement with a target: what would be sampled, and how many calls that takes, before any is made.

Where the store knows enough units, sampling is played through on what they gave, a few times over: the prediction is
where, by Student's t, another play would end in 95 of 100 cases. Where it does not, nothing honest can be said but the
least and the most.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.answer.aggregate import PILOT_UNITS, AggregateRun
from suffice.answer.asked import asked_of, with_units
from suffice.answer.auto_proxy import UNITS, candidates, is_auto
from suffice.answer.engine import Engine
from suffice.answer.guaranteed import answers
from suffice.answer.kinds import kind_of
from suffice.answer.panel import Panel, simplified
from suffice.answer.rounds import next_count
from suffice.answer.unit_looks import unit_looks
from suffice.answer.unit_sample import Contributions
from suffice.answer.work import Work
from suffice.estimate.relative import relative_half_width
from suffice.sql.plan import Bound
from suffice.sql.sparse import plan_sparsely
from suffice.sql.target import Target
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.unit_query import UnitQuery, unit_query

Indices = npt.NDArray[np.int64]

RUNS = 5
"""How often sampling is played through."""

PREDICTED = 0.95
"""Chance that what a statement takes lies where it is predicted, as far as the known units are like the others."""


def explain_sample(engine: Engine, bound: Bound, target: Target, seed: int, work: Work, *, analyze: bool) -> list[str]:
    """The plan as lines of a tree; with `analyze` the statement runs and what it took stands below."""
    kind = kind_of(bound, target)
    lines = [f"answer ({kind}: {_asked(target)})"]
    lines += _aggregate_lines(engine, bound, target, seed) if kind == "aggregate" else []
    if analyze:
        *_, last = answers(engine, bound, target, seed, work)
        lines += ["actual", f"├─ {last.guarantee or 'exact'}"]
        lines += [
            f"├─ {name}: {m.done:,} calls, {m.cached:,} cached, {m.skipped:,} skipped, {m.seconds:.2f} s"
            for name, m in work.model_calls.items()
        ]
    return [*lines[:-1], lines[-1].replace("├", "└")]


def _asked(target: Target) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in asked_of(target).items()) or "nothing"


def _aggregate_lines(engine: Engine, bound: Bound, target: Target, seed: int) -> list[str]:
    plan = plan_sparsely(with_units(engine, bound), engine.describe)
    try:
        query = unit_query(plan, unit_looks(engine, plan.bound))
    except NoBoundError as reason:
        return [f"├─ runs exactly: {reason}"]
    run = AggregateRun(engine, bound, query, target, seed, Work())
    known = run.sample.known()
    media = plan.bound.media[query.relation].function
    lines = [f"├─ units: {run.sample.size:,} {media} that can matter, {int(known.sum()):,} known already"]
    for piece in query.formulas.pieces:
        shown = piece.sql.removeprefix("coalesce(").removesuffix(", 0)::DOUBLE")
        lines.append(f"├─ one unit: {shown} in [{piece.low:g}, {piece.high:g}]")
    lines.append(f"├─ proxy: {_proxy_line(engine, query, target)}")
    low, high, how = _predicted(engine, query, run, known)
    for call in plan.bound.calls.values():
        seconds = engine.results.seconds_per_input(call.call)
        lines.append(
            f"├─ {call.written}: {low:,} to {high:,} of {run.sample.size:,} units, {low * seconds:.1f} to"
            f" {high * seconds:.1f} s ({how})"
        )
    return lines


def _proxy_line(engine: Engine, query: UnitQuery, target: Target) -> str:
    """The proxy, or which ones PROXY auto tries."""
    is_asked = is_auto(target.proxy, query.plan.bound.media[query.relation].columns)
    if target.proxy is not None and not is_asked:
        return target.proxy
    tried = ", ".join(candidates(engine, query, target.proxy)) or "nothing here"
    return f"auto, tries {tried} on {UNITS} units" if is_asked else f"none (PROXY auto tries {tried})"


def _predicted(
    engine: Engine, query: UnitQuery, run: AggregateRun, known: npt.NDArray[np.bool_]
) -> tuple[int, int, str]:
    """(least, most, how that is known) units that will be asked."""
    left = int((~known).sum())
    if run.target.budget_calls is not None:
        return 0, min(left, run.target.budget_calls), "the budget"
    is_simple = not query.keys and len(query.formulas.atoms) == 1 and not query.formulas.quantiles
    if int(known.sum()) < PILOT_UNITS or not is_simple or not left:
        return min(left, PILOT_UNITS), left, "too few units are known to say more" if left else "all are known"
    run.known = known
    found = run.sample.ask(np.flatnonzero(known))
    low, high = _likely(np.array([_played(run, found, int(known.sum()), seed) for seed in range(RUNS)]))
    return min(low, left), min(high, left), f"played through on {int(known.sum()):,} known units"


def _likely(counts: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Ends between which another count will lie, if all come from one normal distribution."""
    from scipy.stats import t

    reach = t.ppf((1 + PREDICTED) / 2, counts.size - 1) * counts.std(ddof=1) * (1 + 1 / counts.size) ** 0.5
    return max(int(counts.mean() - reach), 0), math.ceil(counts.mean() + reach)


def _played(run: AggregateRun, found: Contributions, known: int, seed: int) -> int:
    """Units that sampling takes on a population like the known units."""
    rng = np.random.default_rng(seed)
    pieces = np.zeros((len(run.query.formulas.pieces), known))
    pieces[:, np.searchsorted(np.unique(found.units), found.units)] = found.pieces
    values = pieces[:, rng.integers(0, known, run.sample.size)]
    goal = run.target.error_relative_max or 0.05
    panel = Panel(
        np.arange(run.sample.size),
        np.zeros(run.sample.size),
        run.query.formulas.pieces,
        [simplified(atom, run.query.formulas.pieces, run.sample.size) for atom in run.query.formulas.atoms],
        1 - run.confidence,
        goal,
        run.aim_of(1.0),
        rng,
        False,
        False,
        [()],
    )
    kept = rng.choice(run.sample.size, known, replace=False)
    panel.learn(kept, _given(kept, values))
    panel.start()
    error = np.inf
    while error > 1 and not panel.complete:
        units = panel.draw(next_count(panel.n, error, panel.size), 0)
        panel.observe(units, _given(units, values))
        error = relative_half_width(*panel.bounds(0)[0]) / goal
    return panel.seen - known


def _given(units: Indices, values: npt.NDArray[np.float64]) -> Contributions:
    return Contributions(units, [()] * units.size, values[:, units])
