"""Allocation, strata, spending, simultaneity: the parts that the guarantees are put together from."""

import numpy as np
import pytest

from suffice.estimate.interval import Interval
from suffice.estimate.martingale import Martingale, two_sided
from suffice.estimate.neyman import neyman
from suffice.estimate.score_strata import score_strata
from suffice.estimate.simultaneous import each_confidence, holm, together
from suffice.estimate.spending import look_share
from suffice.estimate.time_strata import time_strata


def test_neyman_follows_size_times_deviation() -> None:
    counts = neyman(np.array([1000, 1000, 3]), np.array([1.0, 3.0, 1.0]), np.zeros(3), 1.0, 400)
    assert counts[1] == pytest.approx(3 * counts[0], rel=0.05)
    assert 1 <= counts[2] <= 3
    assert neyman(np.array([5, 0, 2]), np.zeros(3), np.zeros(3), 1.0, 100).tolist() == [5, 0, 2]


def test_neyman_does_not_starve_what_can_hold_a_spike() -> None:
    starved = neyman(np.array([1000, 1000]), np.array([1.0, 1e-6]), np.array([1.0, 0.0]), 100.0, 100)
    kept = neyman(np.array([1000, 1000]), np.array([1.0, 1e-6]), np.array([1.0, 50.0]), 100.0, 100)
    assert kept[1] > 10 * starved[1]


def test_score_strata() -> None:
    scores = np.random.default_rng(0).random(10_000)
    labels = score_strata(scores, 4)
    assert labels.max() == 7
    assert (np.diff([scores[labels == h].mean() for h in range(8)]) > 0).all()
    assert score_strata(np.full(1000, 0.3), 4).max() == 0
    assert score_strata(scores[:60], 4).max() == 0
    assert np.bincount(time_strata(10, 3)).tolist() == [4, 3, 3]


def test_spending_and_simultaneity() -> None:
    assert sum(look_share(k) for k in range(1, 100_000)) <= 1
    assert each_confidence(0.95, 5) == pytest.approx(0.99)
    parts = [Interval(0, 0, 1, 0.98, "m", "finite-sample", (), 1, None)] * 2
    assert [part.confidence for part in together(parts)] == pytest.approx([0.96, 0.96])
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05).tolist() == [True, False, False, True]
    assert holm([0.5, 0.9], 0.05).tolist() == [False, False]
    assert holm([0.001, 0.002], 0.05).tolist() == [True, True]


def test_the_engine_is_a_supermartingale_exactly() -> None:
    """Averaged over *every* order of drawing 2 + 2 of two small strata, the capital against the truth is <= 1."""
    from itertools import permutations

    parts, truth = ([0.0, 0.0, 1.0], [0.2, 0.9, 0.4]), 2.5
    capital = []
    for a in permutations(parts[0], 2):
        for b in permutations(parts[1], 2):
            bets = Martingale(0.05, 2)
            groups = [
                two_sided(3, 0.0, np.array(draws), (0.0, 1.0), centre, 0.1)
                for draws, centre in ((a, 0.3), (b, 0.6))
            ]  # fmt: skip
            bets.round(np.zeros(2), groups, np.full(2, 0.5))
            capital.append(np.exp(bets._gain[:, 0] - bets._stake[:, 0] * np.array([truth, -truth])))
    assert (np.mean(capital, axis=0) <= 1).all()
    assert np.mean(capital) > 0.7
