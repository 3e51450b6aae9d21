"""The betting interval holds at every look at once, on every population, at every confidence."""

import numpy as np
import pytest

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_mean import BoundedMean
from suffice.estimate.coverage import coverage
from suffice.estimate.populations import Population, ordinary, people, rare
from suffice.estimate.relative import is_within

AIMS = [Aim(), Aim(relative=0.1), Aim(absolute=0.5), Aim(horizon=500)]


class Watched:
    """Looks after every 7 % more units and stops on the worst day: `n` is the last look, `misses` any look that failed."""

    def __init__(self, population, rng, confidence, aim, replace=False):
        size = population.values.size
        draws = rng.choice(population.values, 2000) if replace else rng.permutation(population.values)
        mean = BoundedMean(None if replace else size, population.low, population.high, confidence, aim)
        self.n, self.held = 0, True
        while self.n < draws.size:
            step = max(5, self.n // 15)
            mean.observe(draws[self.n : self.n + step])
            self.n = mean.n
            interval = mean.interval()
            self.held &= interval.low - 1e-9 <= population.mean <= interval.high + 1e-9
        assert replace or interval.tier == "exact"


@pytest.mark.parametrize("population", ordinary(), ids=lambda p: p.name)
@pytest.mark.parametrize("aim", [AIMS[0], AIMS[1]], ids=str)
def test_holds_at_all_looks(population: Population, aim: Aim) -> None:
    cell = coverage(
        lambda p, rng: Watched(p, rng, 0.8, aim), population, 40, 1, held=lambda _, r: r.held, nominal=0.8
    )
    assert cell.passed, cell


@pytest.mark.coverage
@pytest.mark.parametrize("population", ordinary(), ids=lambda p: p.name)
@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("aim", AIMS, ids=str)
@pytest.mark.parametrize("replace", [False, True])
def test_holds_at_all_looks_long(population: Population, confidence: float, aim: Aim, replace: bool) -> None:
    cell = coverage(
        lambda p, rng: Watched(p, rng, confidence, aim, replace),
        population, 400, 2, held=lambda _, r: r.held, nominal=confidence,
    )  # fmt: skip
    assert cell.passed, cell


@pytest.mark.parametrize(("population", "most"), [(rare(0.5, 20_000), 2.2), (rare(0.1, 100_000), 2.2), (people(0, 20_000), 2.2)])
def test_stops_near_the_oracle(population: Population, most: float) -> None:
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
    assert np.mean(used) < most * needed


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
