"""Allocation, strata, spending, simultaneity: the parts that the guarantees are put together from."""

import numpy as np
import pytest

from suffice.estimate.martingale import Floats, Group, Martingale, alone, together
from suffice.estimate.neyman import neyman
from suffice.estimate.score_strata import score_strata
from suffice.estimate.sides import Outlook, shared, split
from suffice.estimate.spending import look_share


def two_sided(
    remaining: int, predicted: float, residuals: Floats, ends: tuple[float, float], centre: float, variance: float
) -> Group:
    """The group of two statements, about a value and about its negative; `ends` are the residual's range."""
    sign = np.array([1.0, -1.0])
    low = np.array([ends[0], -ends[1]])
    return Group(remaining, sign * predicted, sign[:, None] * residuals, low, sign * centre, np.full(2, variance))


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


def test_spending() -> None:
    assert sum(look_share(k) for k in range(1, 100_000)) <= 1


def test_the_side_that_can_surprise_gets_more_of_both() -> None:
    """As much of delta and of the width as makes both sides take equally long; alike sides share alike."""
    alike = Outlook(np.array([0.5, -0.5]), np.full(2, 0.25), np.full(2, 0.5))
    assert split(0.02, alike, 0.05) == pytest.approx([0.025, 0.025])
    assert shared(0.02, alike, np.full(2, 3.7))[0] == pytest.approx(0.5)
    spiky = Outlook(np.array([5.0, -5.0]), np.full(2, 1.0), np.array([5.0, 95.0]))
    deltas = split(0.25, spiky, 0.05)
    assert deltas.sum() == pytest.approx(0.05) and deltas[1] > 3 * deltas[0]
    part, draws = shared(0.25, spiky, -np.log(deltas))
    assert part < 0.4 and draws < 0.8 * spiky.draws(np.full(2, 0.25), np.full(2, np.log(40))).max()


def test_the_engine_is_a_supermartingale_exactly() -> None:
    """Averaged over *every* order of drawing 2 + 2 of two small strata, the capital against the truth is <= 1."""
    from itertools import permutations

    parts, truth = ([0.0, 0.0, 1.0], [0.2, 0.9, 0.4]), 2.5
    capital = []
    for a in permutations(parts[0], 2):
        for b in permutations(parts[1], 2):
            groups = [
                two_sided(3, 0.0, np.array(draws), (0.0, 1.0), centre, 0.1)
                for draws, centre in ((a, 0.3), (b, 0.6))
            ]  # fmt: skip
            bets = together(np.zeros(2), groups, np.full(2, 0.5), 2)
            capital.append(np.exp(bets.gains(np.array([truth, -truth])).sum(axis=1)))
    assert (np.mean(capital, axis=0) <= 1).all()
    assert np.mean(capital) > 0.7


def test_betting_on_one_group_is_a_supermartingale_exactly() -> None:
    """Averaged over every order of four of six units, with predictions that are wrong, the capital is <= 1."""
    from itertools import permutations

    values, predictions = np.array([0.0, 0.0, 1.0, 0.2, 0.9, 0.4]), np.array([0.5, 0.1, 0.0, 0.3, 0.3, 0.2])
    capital = []
    for order in permutations(range(6), 4):
        units = np.array(order)
        residuals = (values - predictions)[units]
        group = two_sided(6, float(predictions.sum()), residuals, (-0.5, 1.0), 0.1, 0.1)
        bets = alone(np.zeros(2), group, np.full(2, 0.7))
        capital.append(np.exp(bets.gains(np.array([1.0, -1.0]) * values.sum()).sum(axis=1)))
    assert (np.mean(capital, axis=0) <= 1 + 1e-12).all()
    assert np.mean(capital) > 0.7


def test_the_bound_is_where_the_capital_crosses() -> None:
    """`low` is rejected, a little above it is not; a sign statement says the same of zero."""
    rng = np.random.default_rng(0)
    draws = rng.permutation(np.arange(40) % 5 * 0.2)[:30]
    group = two_sided(40, 0.0, draws, (0.0, 0.8), 0.4, 0.08)
    bets, sign = Martingale(0.1, 2), Martingale(0.1, 2, is_sign=True)
    for each in (bets, sign):
        each.round(np.zeros(2), [group], np.full(2, 1.5))
    low, made = bets.low, alone(np.zeros(2), group, np.full(2, 1.5))
    for at, crosses in ((low, True), (low + 0.05, False)):
        assert ((np.cumsum(made.gains(at), axis=1).max(axis=1) >= bets.log_ratio) == crosses).all()
    assert (sign.low >= 0).tolist() == (low >= 0).tolist() == [True, False]
