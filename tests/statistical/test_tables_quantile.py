"""Quantiles of partly known rows: how often the interval misses, for every definition of a quantile."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.estimate.kl_bound import proportion_high, proportion_low
from suffice.estimate.part_known_quantile import part_known_quantile

RNG = np.random.default_rng(4)
N = 3000
POPULATIONS = {
    "uniform": RNG.random(N),
    "lognormal": RNG.lognormal(0, 1.5, N),
    "ties": RNG.integers(0, 3, N).astype(float),
    "spikes": np.where(RNG.random(N) < 0.02, 1e6, 1.0) + RNG.random(N) * (RNG.random(N) < 0.5),
}


@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
@pytest.mark.parametrize("name", POPULATIONS)
def test_quantiles_are_missed_no_more_often_than_stated(name: str, share: float) -> None:
    """At 60%, the largest values always known, half of the rows not counting."""
    values, counts = POPULATIONS[name], RNG.random(N) < 0.5
    certain = np.argsort(-values)[:30]
    others = np.setdiff1d(np.arange(N), certain)
    methods = ("linear", "lower", "higher", "inverted_cdf", "nearest")
    truths = [np.quantile(values[counts], share, method=method) for method in methods]
    missed = 0
    for _ in range(100):
        order = RNG.permutation(others)
        known, drawn = np.concatenate([certain, order[:80]]), order[80:480]
        found = part_known_quantile(
            values[known][counts[known]], values[drawn][counts[drawn]], share, 400, len(others) - 80, 0.4
        )
        missed += any(not found.low <= truth <= found.high for truth in truths)
        assert found.low <= found.estimate <= found.high
    assert missed <= 40


def test_a_quantile_of_little_is_not_claimed() -> None:
    nothing = part_known_quantile(np.array([]), np.array([]), 0.5, 100, 1000, 0.05)
    assert (nothing.low, nothing.high) == (-np.inf, np.inf) and np.isnan(nothing.estimate)
    few = part_known_quantile(np.array([]), np.array([1.0, 2.0]), 0.5, 100, 1000, 0.05)
    assert (few.low, few.high) == (-np.inf, np.inf)
    everything = part_known_quantile(np.array([3.0]), np.arange(1, 100.0), 0.5, 99, 99, 0.05)
    assert 45 < everything.low <= 50 <= everything.high < 56


def test_chernoff_is_never_narrower_than_the_exact_bound() -> None:
    from scipy.stats import beta

    for successes, n in ((0, 50), (3, 50), (49, 50), (200, 1000)):
        low, high = proportion_low(successes, n, 0.05), proportion_high(successes, n, 0.05)
        assert low <= (beta.ppf(0.05, successes, n - successes + 1) if successes else 0.0)
        assert high >= beta.ppf(0.95, successes + 1, n - successes)
        assert low <= successes / n <= high < 1
