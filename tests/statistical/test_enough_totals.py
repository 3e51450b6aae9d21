"""Totals and ratios from one sample hold at every look: clusters, drift, rare values, lying proxies, a biased cache."""

import numpy as np
import pytest
from levels import LEVELS

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.lab import coverage
from suffice.estimate.linear_totals import LinearTotals
from suffice.estimate.missed_groups import missed_group_units_max
from suffice.estimate.populations import (
    PROXIES,
    Population,
    clustered,
    heavy,
    people,
    periodic,
    rare,
    spikes,
    tiny,
    video,
    with_proxy,
)
from suffice.estimate.quantity import BoundedRatio, BoundedTotal, Form, Share
from suffice.estimate.relative import relative_half_width

SLACK = 1e-9


class Watched:
    """Draws to a target and looks after every round: `held` only if every interval ever shown did."""

    def __init__(self, population: Population, rng, confidence, target=0.1, *, ratio=False, cache=False):
        values = np.stack([population.values, population.sizes if ratio else np.ones_like(population.values)])
        scores = population.proxy if population.proxy.size else np.arange(values.shape[1], dtype=float)
        known = np.argsort(-population.values)[: values.shape[1] // 20] if cache else None
        most = np.array([population.high, population.size_max])
        totals = LinearTotals(
            np.array([min(population.low, 0.0), 0.0]), most, scores, rng, Aim(relative=target),
            ordered=not population.proxy.size, known=known, known_values=None if known is None else values[:, known],
        )  # fmt: skip
        top, bottom = (
            Form(np.array([1.0, 0.0]), population.low, population.high),
            Form(np.array([0.0, 1.0]), 0, most[1]),
        )
        truth = values[0].sum() / values[1].sum() if ratio else values[0].sum()
        if ratio:
            guess = truth * np.exp(rng.normal(0, 0.3))  # as bad as a small pilot's
            bounded = BoundedRatio(totals, Share(top, bottom, (0.0, 1.0), most[1]), guess, target, 1 - confidence)
        else:
            bounded = BoundedTotal(totals, top, 1 - confidence)
        self.held, width = True, np.inf
        while width > target and not totals.complete:
            totals_n = totals.draw(max(16, totals.n // 5), bounded.family, bounded.focus)
            totals.observe(values[:, totals_n])
            low, high = bounded.bounds()
            self.held &= bool(low - SLACK * abs(low) <= truth <= high + SLACK * abs(high))
            width = relative_half_width(low, high)
        self.n = totals.n


TOTALS = [
    rare(0.3, 1000),
    rare(0.02, 1200),
    heavy(0, 600),
    spikes(900, 300),
    people(0, 1000),
    tiny(),
    video(0, 1000),
    periodic(1000),
]


@pytest.mark.parametrize("population", TOTALS, ids=lambda p: p.name)
@pytest.mark.parametrize("cache", [False, True], ids=["cold", "biased cache"])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_total_holds_at_every_look(population: Population, cache: bool, confidence: float, runs: int) -> None:
    cell = coverage(
        lambda p, rng: Watched(p, rng, confidence, cache=cache),
        population, max(runs // 2, 20), 3, held=lambda _, r: r.held, nominal=confidence, name="total",
    )  # fmt: skip
    assert cell.passed, cell


@pytest.mark.parametrize("kind", PROXIES)
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_total_holds_whatever_the_proxy(kind: str, confidence: float, runs: int) -> None:
    cell = coverage(
        lambda p, rng: Watched(p, rng, confidence),
        with_proxy(people(1, 800), kind), max(runs // 2, 20), 4,
        held=lambda _, r: r.held, nominal=confidence, name=kind,
    )  # fmt: skip
    assert cell.passed, cell


@pytest.mark.parametrize("sigma", [0.5, 1.5, 2.0])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_ratio_over_clusters_holds_at_every_look(sigma: float, confidence: float, runs: int) -> None:
    cell = coverage(
        lambda p, rng: Watched(p, rng, confidence, 0.05, ratio=True),
        clustered(0, 600, sigma, 30.0), max(runs // 4, 12), 6,
        held=lambda _, r: r.held, nominal=confidence, name="ratio",
    )  # fmt: skip
    assert cell.passed, cell


def test_a_bound_that_is_too_eager_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab turns red for an interval an eighth as wide: otherwise the tests above would prove nothing."""

    def narrow(self):
        low, high = float(self._totals.lower(self.family)[0]), -float(self._totals.lower(self.family)[1])
        middle = self.estimate_plain()
        return middle + (low - middle) / 8, middle + (high - middle) / 8

    monkeypatch.setattr(
        BoundedTotal, "estimate_plain", lambda self: self._totals.total(self._form.weights), raising=False
    )
    monkeypatch.setattr(BoundedTotal, "bounds", narrow)
    cell = coverage(
        lambda p, rng: Watched(p, rng, 0.8, 0.01),
        people(0, 1000),
        40,
        3,
        held=lambda _, r: r.held,
        nominal=0.8,
        name="eager",
    )
    assert not cell.passed, cell


def test_statements_added_late_bet_on_what_comes_after_alone() -> None:
    """A group met in the middle starts from what is known then, and ends exact when all units were seen."""
    rng = np.random.default_rng(0)
    values = np.stack([np.ones(200), (np.arange(200) % 7 == 0) * 1.0])
    totals = LinearTotals(np.zeros(1), np.ones(1), np.arange(200.0), rng, Aim(relative=0.1))
    first = BoundedTotal(totals, Form(np.ones(1), 0, 1), 0.05)
    units = totals.draw(40, first.family, first.focus)
    totals.observe(values[:1, units])
    totals.add_pieces(np.zeros(1), np.ones(1), units, values[1:, units])
    late = BoundedTotal(totals, Form(np.array([0.0, 1.0]), 0, 1), 0.05)
    seen = values[1, units].sum()
    assert late.bounds() == (seen, seen + 160)
    while not totals.complete:
        totals.observe(values[:, totals.draw(32, late.family, late.focus)])
        low, high = late.bounds()
        assert low <= values[1].sum() <= high
    assert late.bounds() == pytest.approx((29, 29)) and first.bounds() == pytest.approx((200, 200))


@pytest.mark.parametrize("kind", ["none", "inverted", "good"])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_groups_that_are_missed_are_small(kind: str, confidence: float, runs: int) -> None:
    """Many groups of 1 to 40 units, strata that steer away from them: none above the bound is missed."""
    sizes = np.repeat([1, 2, 5, 10, 20, 40], [60, 40, 20, 10, 5, 2])
    groups = np.append(np.repeat(np.arange(sizes.size), sizes), np.full(1000 - sizes.sum(), -1))
    base = Population("groups", (groups >= 0) * 1.0, 0.0, 1.0)
    population = base if kind == "none" else with_proxy(base, kind)

    class Missing:
        def __init__(self, p: Population, rng: np.random.Generator) -> None:
            scores = p.proxy if p.proxy.size else np.zeros(p.values.size)
            totals = LinearTotals(np.zeros(1), np.ones(1), scores, rng, Aim(relative=0.01))
            bounded = BoundedTotal(totals, Form(np.ones(1), 0, 1), 0.05)
            self.held, self.least = True, 1000
            while totals.n < 700:
                totals.observe(p.values[None, totals.draw(40, bounded.family, bounded.focus)])
                missed = np.setdiff1d(groups, groups[totals.seen])
                hazard = float(totals.hazard[~totals.seen].min())
                most = missed_group_units_max(hazard, 1000, 1, 1 - confidence)
                self.least = min(self.least, most)
                self.held &= all((groups == group).sum() <= most for group in missed)
            self.n = totals.n

    least = []

    def procedure(p: Population, rng: np.random.Generator) -> Missing:
        run = Missing(p, rng)
        least.append(run.least)
        return run

    cell = coverage(procedure, population, max(runs // 4, 10), 9, held=lambda _, r: r.held, nominal=confidence)
    assert cell.passed, cell
    assert np.mean(least) < 40  # it says something


@pytest.mark.parametrize("base", [rare(0.5), rare(0.1, 40_000), people(0, 10_000)], ids=lambda p: p.name)
def test_price_of_a_proxy(base: Population) -> None:
    """Calls for 5 % at 95 %: a useless proxy at most 30 % more than none, a good one far fewer than any uniform z."""
    used = {
        kind: np.mean([Watched(with_proxy(base, kind), np.random.default_rng(s), 0.95, 0.05).n for s in range(4)])
        for kind in ("constant", "random", "over-confident", "good")
    }
    assert max(used["random"], used["over-confident"]) < 1.3 * used["constant"], used
    assert used["good"] < 0.8 * used["constant"], used


def test_refuses_scores_that_are_no_numbers() -> None:
    with pytest.raises(UsageError, match="finite"):
        LinearTotals(np.zeros(1), np.ones(1), np.array([0.5, np.nan]), np.random.default_rng(0), Aim())
    totals = LinearTotals(np.zeros(1), np.ones(1), np.zeros(9), np.random.default_rng(0), Aim(relative=0.1))
    total = BoundedTotal(totals, Form(np.ones(1), 0, 1), 0.05)
    with pytest.raises(UsageError, match="range"):
        totals.observe(np.full((1, totals.draw(4, total.family, total.focus).size), 7.0))


def test_a_stretch_that_met_nothing_rare_is_not_taken_for_no_spread() -> None:
    """Ten of the first 100 units are 1, none of the next 100: bets must not be made as if nothing varied."""
    totals = LinearTotals(
        np.zeros(1), np.ones(1), np.random.default_rng(0).random(20_000), np.random.default_rng(1), Aim()
    )
    total = BoundedTotal(totals, Form(np.ones(1), 0.0, 1.0), 0.05)
    for number in range(20):
        units = totals.draw(10, total.family, 0)
        totals.observe((np.arange(units.size)[None] == 0) * float(number < 10))
    statements, rows = totals._statements[0], totals._predict()
    for predictor in range(len(rows)):
        late = totals._guess(predictor, rows[predictor], statements).variance
        strata = totals._labels, totals._queues
        ever = totals._moments(totals._errors[predictor], rows[predictor], statements, strata, 0).variance
        assert (late >= 0.24 * ever).all() and (late > 0.005).all(), predictor
