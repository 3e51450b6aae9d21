"""Shares of a failure probability: never more than there is, most of it where it is needed."""

from __future__ import annotations

import numpy as np

from suffice.estimate.delta_shares import shares_of


def test_shares_add_up_to_no_more_than_there_is() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        claims = int(rng.integers(1, 60))
        draws = np.exp(rng.normal(8, 3, claims))
        draws[rng.random(claims) < 0.1] = rng.choice([np.inf, np.nan, 0.0])
        evidence = shares_of(0.02, draws, np.exp(rng.normal(3, 3, claims)))
        assert np.exp(-evidence).sum() <= 0.02 * (1 + 1e-9)
        assert evidence.min() <= np.log(claims / 0.02) + 1e-5


def test_what_is_easy_leaves_its_share_to_what_is_hard() -> None:
    evidence = shares_of(0.02, np.array([1e6, 1e6, *[1e3] * 30]), np.full(32, 500.0))
    assert evidence[0] < np.log(2 / 0.02) + 0.01 < np.log(32 / 0.02) < evidence[2]


def test_what_few_values_tell_is_not_trusted() -> None:
    draws = np.array([1e6, 2e5, 2e5])
    assert np.allclose(shares_of(0.02, draws, np.array([1.0, 5.0, 5.0])), np.log(3 / 0.02), atol=1e-5)
