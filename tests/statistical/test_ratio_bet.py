"""Bets from sums alone: wrong no more often than stated, at all looks together, and about as narrow as can be."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.estimate.ratio_bet import Ranges, RatioBet, Stakes, Sums, best_stakes, spread

UNITS, SIZES = 20_000, (200, 1000, 1000, 2000, 2000)


def sums(a: np.ndarray, b: np.ndarray, left: int, known: tuple[float, float]) -> Sums:
    each = [np.array([v]) for v in (a.sum(), b.sum(), (a * a).sum(), (a * b).sum(), (b * b).sum())]
    ends = [np.array([[v.min()], [v.max()]]) for v in (a, b)]
    return Sums(len(a), left, *each, ends[0], ends[1], np.array([known[0]]), np.array([known[1]]))


def interval(a: np.ndarray, b: np.ndarray, order: np.ndarray, delta: float) -> tuple[float, float]:
    """After five looks, the intersection of what each gave."""
    ranges = Ranges(np.array([[a.min()], [a.max()]]), np.array([[b.min()], [b.max()]]))
    bet, position = RatioBet(ranges, np.array([np.log(2 / delta)])), 0
    for size in SIZES:
        drawn, before = order[position : position + size], order[:position]
        part = sums(a[drawn], b[drawn], len(a) - position, (a[before].sum(), b[before].sum()))
        if position:
            seen = sums(a[before], b[before], len(a) - position, (a[before].sum(), b[before].sum()))
            c = seen.a / seen.b
            variance = spread(seen, ranges, c)
            shift = np.sqrt(2 * np.log(2 / delta) * variance / sum(SIZES))
            bet.add(part, best_stakes(ranges, c, part.mean(c), variance, shift))
            bet.settle(c, shift / max(float(b.mean()), 1e-9))
        position += size
    return float(bet.low[0]), float(bet.high[0])


def population(name: str) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    ones, b = np.ones(UNITS), random.poisson(3, UNITS).astype(float)
    return {
        "uniform": (random.random(UNITS), ones),
        "rare": ((random.random(UNITS) < 0.01).astype(float), ones),
        "skewed": (np.minimum(random.exponential(1, UNITS) ** 2, 40.0), ones),
        "signed": (random.normal(0.2, 1, UNITS).clip(-4, 4), ones),
        "ratio": (b * (5 + random.random(UNITS)), b),
    }[name]


@pytest.mark.parametrize("name", ["uniform", "rare", "skewed", "signed", "ratio"])
def test_a_bet_misses_no_more_often_than_stated(name: str) -> None:
    """At delta 0.4: an honest bound misses more than 53 of 100 runs once in 200; these miss far less."""
    a, b = population(name)
    truth, delta = a.sum() / b.sum(), 0.4
    missed = 0
    for seed in range(100):
        low, high = interval(a, b, np.random.default_rng(seed).permutation(UNITS), delta)
        missed += not low <= truth <= high
    assert missed <= 53


def test_an_interval_is_about_as_narrow_as_a_normal_one_with_the_same_tails() -> None:
    a, b = population("uniform")
    low, high = interval(a, b, np.random.default_rng(1).permutation(UNITS), 0.05)
    ideal = 2 * np.sqrt(2 * np.log(2 / 0.05) * a.var() / sum(SIZES))
    assert high - low < 1.2 * ideal


def test_a_stake_beyond_the_declared_range_proves_nothing() -> None:
    part = sums(np.full(100, 0.9), np.ones(100), 1000, (0.0, 0.0))
    bet = RatioBet(Ranges(np.array([[0.0], [100.0]]), np.array([[1.0], [1.0]])), np.array([np.log(40)]))
    bet.add(part, Stakes(np.array([0.0]), np.array([0.5])))
    assert bet.evidence(np.array([2.0]), -1) == 0.0  # one unseen 100 could have ended the game
    sure = RatioBet(Ranges(np.array([[0.0], [1.0]]), np.array([[1.0], [1.0]])), np.array([np.log(40)]))
    sure.add(part, Stakes(np.array([0.0]), np.array([0.5])))
    assert sure.evidence(np.array([1.5]), -1) > 0
