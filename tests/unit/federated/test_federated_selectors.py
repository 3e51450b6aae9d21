from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import UsageError
from suffice.federated.selectors import Feedback, Moment, OortSelector, Population, make_selector
from suffice.federated.selectors.clustered import spread_places
from suffice.federated.selectors.weighted import draw_weighted
from suffice.federated.traces import Traces, synthetic_traces

NAMES = ("random", "oort", "oort_fedscale", "power_of_choice", "least_available", "clustered")


def population(n: int, traces: Traces | None = None) -> Population:
    rng = np.random.default_rng(0)
    return Population(rng.integers(1, 99, n), rng.lognormal(2, 1, n), rng.integers(0, 5, n), traces or Traces.always(n))


def observed(selector, chosen, round_index, rng):
    loss = rng.random(len(chosen)) * 3
    samples, seconds = np.full(len(chosen), 20), rng.random(len(chosen)) * 30
    selector.observe(Feedback(round_index, chosen, rng.random(len(chosen)) < 0.8, samples, loss, loss, seconds))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 60), count=st.integers(1, 70), share=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_only_online_no_duplicates_exactly_as_many_as_there_are(name, n, count, share, seed):
    selector, rng = make_selector(name, population(n)), np.random.default_rng(seed)
    for r in range(1, 8):
        online = np.flatnonzero(rng.random(n) < share)
        chosen = selector.select(online, count, Moment(r, r * 60.0), rng)
        assert len(set(chosen.tolist())) == len(chosen) == min(count, len(online))
        assert np.isin(chosen, online).all()
        observed(selector, chosen, r, rng)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_learnt_survives_a_checkpoint(name):
    first, second = (make_selector(name, population(100)) for _ in range(2))
    rng = np.random.default_rng(1)
    for r in range(1, 30):
        observed(first, first.select(np.arange(100), 10, Moment(r, 0.0), rng), r, rng)
    second.restore({key: value.copy() for key, value in first.state().items()})
    a, b = (s.select(np.arange(100), 10, Moment(30, 0.0), np.random.default_rng(9)) for s in (first, second))
    assert (a == b).all()


def test_an_unknown_selector_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'random'"):
        make_selector("randm", population(3))


def test_oort_prefers_useful_and_fast():
    n = 400
    selector, rng = OortSelector(np.ones(n)), np.random.default_rng(0)
    everyone = np.arange(n)
    useful, slow = everyone % 2 == 0, everyone % 4 == 0
    loss = np.where(useful, 3.0, 0.1)
    seconds = np.where(slow, 100.0, 1.0)
    selector.observe(Feedback(1, everyone, np.ones(n, bool), np.full(n, 50), loss, loss, seconds))
    picks = np.concatenate([selector.select(everyone, 40, Moment(500, 0.0), rng) for _ in range(20)])
    assert (useful & ~slow)[picks].mean() > 0.95


def test_power_of_choice_takes_the_worst_served():
    selector, rng = make_selector("power_of_choice", population(300)), np.random.default_rng(0)
    ids = np.arange(300)
    loss = ids / 300.0
    selector.observe(Feedback(1, ids, np.ones(300, bool), np.ones(300, int), loss, loss, loss))
    mean = np.mean([loss[selector.select(ids, 20, Moment(2, 0.0), rng)].mean() for _ in range(50)])
    assert mean > 0.7


def test_least_available_looks_back_and_takes_the_rare():
    traces = synthetic_traces(2000, seed=2)
    selector = make_selector("least_available", population(2000, traces))
    at_s = 6.5 * 86_400.0
    online = np.flatnonzero(traces.online(at_s))
    chosen = selector.select(online, len(online) // 4, Moment(1, at_s), np.random.default_rng(0))
    past = np.mean([traces.online(at_s + 1800.0 - d * 86_400.0) for d in range(1, 7)], axis=0)
    assert past[chosen].mean() < past[online].mean() / 2


def test_clusters_share_the_places_evenly():
    rng = np.random.default_rng(0)
    assert spread_places(np.array([1, 50, 50]), 21, rng).tolist() == [1, 10, 10]
    assert spread_places(np.array([5, 5]), 10, rng).tolist() == [5, 5]


def test_weighted_draws_follow_the_weights():
    rng = np.random.default_rng(0)
    draws = [draw_weighted(np.arange(3), np.array([1.0, 2.0, 7.0]), 1, rng)[0] for _ in range(4000)]
    share = np.bincount(draws, minlength=3) / len(draws)
    assert np.abs(share - [0.1, 0.2, 0.7]).max() < 0.03
    assert sorted(draw_weighted(np.arange(3), np.zeros(3), 5, rng).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_a_million_clients_are_one_call(name):
    n = 1_000_000
    rng = np.random.default_rng(0)
    selector = make_selector(name, Population(np.ones(n, int), rng.random(n) + 1, np.arange(n) % 7, Traces.always(n)))
    chosen = selector.select(np.arange(n), 1000, Moment(2, 0.0), rng)
    assert len(np.unique(chosen)) == 1000
