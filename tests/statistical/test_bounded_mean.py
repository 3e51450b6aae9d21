"""The betting interval holds at every look at once, on every population, at every confidence."""

import numpy as np
import pytest
from levels import LEVELS

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_mean import BoundedMean
from suffice.estimate.lab import coverage
from suffice.estimate.populations import Population, ordinary, people, rare
from suffice.estimate.relative import is_within


class Watched:
    """Looks after every 20 % more units; `held` is whether no look failed."""

    def __init__(self, population, rng, confidence, aim, replace):
        size = population.values.size
        draws = rng.choice(population.values, 2000) if replace else rng.permutation(population.values)
        mean = BoundedMean(None if replace else size, population.low, population.high, confidence, aim)
        self.n, self.held = 0, True
        while self.n < draws.size:
            mean.observe(draws[self.n : self.n + max(5, self.n // 5)])
            self.n, interval = mean.n, mean.interval()
            self.held &= interval.low - 1e-9 <= population.mean <= interval.high + 1e-9
        assert replace or interval.tier == "exact"


@pytest.mark.parametrize("population", ordinary(), ids=lambda p: p.name)
@pytest.mark.parametrize(("aim", "replace"), [(Aim(), False), (Aim(relative=0.1), False), (Aim(horizon=500), True)])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_holds_at_all_looks(population: Population, aim: Aim, replace: bool, confidence: float, runs: int) -> None:
    def procedure(p, rng):
        return Watched(p, rng, confidence, aim, replace)

    cell = coverage(procedure, population, runs, 1, held=lambda _, r: r.held, nominal=confidence)
    assert cell.passed, cell


@pytest.mark.parametrize("population", [rare(0.5), rare(0.1, 100_000), people(0, 20_000)], ids=lambda p: p.name)
def test_stops_near_the_oracle(population: Population) -> None:
    """5 % at 95 % takes at most about twice what a z interval that knew the variance would."""
    size, spread = population.values.size, population.values.std()
    needed = (1.96 * spread / (0.05 * population.mean)) ** 2
    needed /= 1 + needed / size
    used = []
    for seed in range(10):
        draws = np.random.default_rng(seed).permutation(population.values)
        mean = BoundedMean(size, population.low, population.high, 0.95, Aim(relative=0.05))
        while not is_within(mean.interval(), 0.05):
            mean.observe(draws[mean.n : mean.n + max(5, mean.n // 20)])
        used.append(mean.n)
    assert np.mean(used) < 2.1 * needed


def test_refuses_what_breaks_the_assumptions() -> None:
    mean = BoundedMean(3, 0, 1, 0.95)
    with pytest.raises(UsageError, match="range"):
        mean.observe([2.0])
    with pytest.raises(UsageError, match="range"):
        mean.observe([float("nan")])
    with pytest.raises(UsageError, match="population of 3"):
        mean.observe([0.0] * 4)
    assert (mean.interval().low, mean.interval().high) == (0, 1)
    mean.observe([0, 1, 1])
    assert mean.interval().low == mean.interval().high == pytest.approx(2 / 3)
