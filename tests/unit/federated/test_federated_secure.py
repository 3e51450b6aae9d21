from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SufficeError
from suffice.federated.aggregate.secure import Member, from_fixed, to_fixed, unmask
from suffice.federated.aggregate.secure.shamir import PRIME, join, split


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**256), st.integers(1, 9), st.integers(0, 5), st.randoms())
def test_any_threshold_of_shares_gives_the_secret_back(secret, threshold, extra, chance):
    members = list(range(1, threshold + extra + 1))
    shares = split(secret, members, threshold)
    some = chance.sample(members, threshold)
    assert join({member: shares[member] for member in some}) == secret
    if threshold > 1:
        assert join({member: shares[member] for member in some[1:]}) != secret
    assert all(0 <= share < PRIME for share in shares.values())


def run(updates: np.ndarray, threshold: int, gone_early: set[int], gone_late: set[int]):
    """A round in which some drop out after sealing shares, and some after sending their masked update."""
    members = {n: Member(n, threshold) for n in range(1, len(updates) + 1)}
    public = {n: member.public for n, member in members.items()}
    sealed = {n: member.shares(public) for n, member in members.items()}
    masked = {
        n: member.masked(to_fixed(updates[n - 1]), public, {other: sealed[other][n] for other in members})
        for n, member in members.items()
        if n not in gone_early
    }
    reveals = {n: members[n].reveal(set(masked)) for n in masked if n not in gone_late}
    return masked, reveals, public, members


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(1, 8), max_size=2), st.sets(st.integers(1, 8), max_size=1), st.integers(0, 2**31))
def test_the_server_gets_the_sum_of_those_who_stayed_whoever_drops_out(gone_early, gone_late, seed):
    updates = np.random.default_rng(seed).standard_normal((8, 30))
    masked, reveals, public, _ = run(updates, 5, gone_early, gone_late)
    total = from_fixed(unmask(masked, reveals, public, 5))
    stayed = [n - 1 for n in masked]
    assert total == pytest.approx(updates[stayed].sum(axis=0), abs=1e-8)


def test_what_the_server_sees_of_one_client_is_noise():
    updates = np.zeros((6, 4000))
    masked, reveals, public, _ = run(updates, 4, set(), set())
    for words in masked.values():
        share = np.unpackbits(words.view(np.uint8)).mean()
        assert abs(share - 0.5) < 0.01
    correlation = np.corrcoef(np.stack([words.astype(float) for words in masked.values()]))
    assert np.abs(correlation - np.eye(6)).max() < 5 / np.sqrt(4000)
    assert np.abs(from_fixed(unmask(masked, reveals, public, 4))).max() == 0.0


def test_too_few_left_means_no_sum():
    masked, reveals, public, members = run(np.ones((6, 3)), 5, {1}, {2})
    with pytest.raises(SufficeError, match="4 of the 5 members needed"):
        unmask(masked, reveals, public, 5)
    with pytest.raises(SufficeError, match="refused to reveal"):
        members[3].reveal({3, 4, 5, 6, 2})
    fresh = run(np.ones((6, 3)), 4, set(), set(range(1, 7)))[3]
    with pytest.raises(SufficeError, match="refused to reveal"):
        fresh[1].reveal({1, 2, 3})


def test_nobody_reveals_both_secrets_of_one_member():
    _, reveals, _, _ = run(np.ones((5, 3)), 3, {2}, set())
    for reveal in reveals.values():
        assert not set(reveal.own_masks) & set(reveal.mask_keys)


def test_a_sealed_share_cannot_be_read_or_changed_on_the_way():
    members = {n: Member(n, 2) for n in (1, 2, 3)}
    public = {n: member.public for n, member in members.items()}
    sealed = {n: member.shares(public) for n, member in members.items()}
    broken = bytes([sealed[2][1][0] ^ 1]) + sealed[2][1][1:]
    from cryptography.exceptions import InvalidTag

    with pytest.raises(InvalidTag):
        members[1].masked(to_fixed(np.ones(2)), public, {1: sealed[1][1], 2: broken})


def test_numbers_too_large_for_fixed_point_are_refused():
    assert from_fixed(to_fixed(np.array([-1.25, 3.0]))).tolist() == [-1.25, 3.0]
    for value in (2.0**20, np.nan, np.inf):
        with pytest.raises(SufficeError, match="clip the update first"):
            to_fixed(np.array([value]))
    with pytest.raises(SufficeError, match="cannot have threshold 3"):
        Member(1, 3).shares({1: Member(1, 3).public})
