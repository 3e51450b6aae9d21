"""AVG over the rows of sampled clusters: valid when rows of a cluster are alike and its size goes with its mean."""

import math

import pytest
from levels import LEVELS

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_mean import BoundedMean
from suffice.estimate.bounded_ratio import BoundedRatio, ratio_around
from suffice.estimate.lab import coverage
from suffice.estimate.populations import clustered


def truth(population):
    return population.values.sum() / population.sizes.sum()


class Ratio:
    """Looks after every 20 % more clusters, to the end or 800 clusters; `held` is whether no look failed."""

    def __init__(self, population, rng, confidence, population_known=True):
        order = (
            rng.permutation(population.values.size)
            if population_known
            else rng.integers(0, population.values.size, 800)
        )
        ratio = BoundedRatio(
            order.size if population_known else None, 0, 1, population.size_max, confidence, Aim(relative=0.1)
        )
        self.held = True
        while ratio.n < min(order.size, 800):
            units = order[ratio.n : ratio.n + max(10, ratio.n // 5)]
            ratio.observe(population.values[units], population.sizes[units])
            interval, self.n = ratio.interval(), ratio.n
            self.held &= interval.low - 1e-9 <= truth(population) <= interval.high + 1e-9


@pytest.mark.parametrize(
    "population", [clustered(0, 4000, 1.5), clustered(1, 4000, 2.0), clustered(2, 300, 1.0, 20.0)], ids=lambda p: p.name
)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_holds_at_all_looks(population, known: bool, confidence: float, runs: int) -> None:
    def procedure(p, rng):
        return Ratio(p, rng, confidence, known)

    cell = coverage(procedure, population, runs, 7, held=lambda _, r: r.held, nominal=confidence)
    assert cell.passed, cell


@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_ratio_around_a_pilot_holds(confidence: float, runs: int) -> None:
    """Any design for totals gives a ratio: here plain draws, with nine tenths of delta on the residuals."""
    population, delta = clustered(3, 3000, 1.0, 20.0), 1 - confidence

    def procedure(p, rng):
        order, centre = rng.permutation(p.values.size), 0.6
        residual = BoundedMean(p.values.size, -centre * p.size_max, (1 - centre) * p.size_max, 1 - 0.9 * delta)
        size = BoundedMean(p.values.size, 0, p.size_max, 1 - 0.1 * delta)
        residual.observe((p.values - centre * p.sizes)[order[:600]])
        size.observe(p.sizes[order[:600]])
        return ratio_around(centre, residual.interval(), size.interval())

    cell = coverage(procedure, population, runs, 8, held=lambda p, r: truth(p) in r, nominal=confidence)
    assert cell.passed, cell


def test_no_rows_is_no_number() -> None:
    ratio = BoundedRatio(4, 2, 5, 10, 0.95)
    ratio.observe([0, 0], [0, 0])
    assert math.isnan(ratio.interval().estimate)
    assert (ratio.interval().low, ratio.interval().high) == (2, 5)
    ratio.observe([9, 2], [3, 1])
    assert ratio.interval().low == ratio.interval().high == pytest.approx(11 / 4)
    with pytest.raises(UsageError, match="over 10 rows"):
        BoundedRatio(4, 2, 5, 10, 0.95).observe([30], [11])
    with pytest.raises(UsageError, match="outside"):
        BoundedRatio(4, 2, 5, 10, 0.95).observe([60], [10])
