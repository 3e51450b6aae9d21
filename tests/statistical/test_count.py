"""Exact intervals for 0/1 values: compared with the tails they invert, and covering at one fixed look."""

import numpy as np
import pytest
from levels import LEVELS
from scipy.stats import binom, hypergeom

from suffice.estimate.count import count_bounds, count_interval
from suffice.estimate.lab import coverage


@pytest.mark.parametrize("population", [40, 1000, None])
@pytest.mark.parametrize("n", [1, 7, 30])
def test_every_truth_is_covered(population: int | None, n: int) -> None:
    """The chance of covering, summed exactly over all samples, for every truth there is."""
    intervals = [count_interval(k, n, population, 0.9) for k in range(n + 1)]
    for share in np.linspace(0, 1, 41):
        total = None if population is None else round(share * population)
        law = binom(n, share) if population is None else hypergeom(population, total, n)
        truth = share if population is None else total / population
        chance = sum(law.pmf(k) for k in range(n + 1) if intervals[k].low - 1e-12 <= truth <= intervals[k].high + 1e-12)
        assert chance >= 0.9 - 1e-9


@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
@pytest.mark.parametrize("share", [0.002, 0.01, 0.05, 0.5])
def test_covers_one_look(share: float, confidence: float, runs: int) -> None:
    def procedure(_, rng):
        return count_interval(
            int(rng.hypergeometric(round(share * 20_000), round((1 - share) * 20_000), 1500)), 1500, 20_000, confidence
        )

    cell = coverage(
        procedure, share, 5 * runs, 11, held=lambda p, r: r.low - 1e-12 <= p <= r.high + 1e-12, nominal=confidence
    )
    assert cell.passed, cell


def test_ends() -> None:
    assert count_bounds(0, 0, 10, 0.05, 0.05) == (0.0, 1.0)
    assert count_bounds(0, 0, None, 0.05, 0.05) == (0.0, 1.0)
    assert count_bounds(10, 10, 10, 0.05, 0.05) == (1.0, 1.0)
    assert count_interval(3, 10, 10, 0.95).tier == "exact"
    low, high = count_bounds(500, 1000, 10**6, 0.025, 0.025)
    assert 0.46 < low < 0.47 and 0.53 < high < 0.54
