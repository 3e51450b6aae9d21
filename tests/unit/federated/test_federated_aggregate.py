from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SufficeError, UsageError
from suffice.federated.aggregate import Partial, fold, partial_of, screen
from suffice.federated.aggregate.compress import ErrorFeedback, Quantise, TopK
from suffice.federated.aggregate.optimisers import make_optimiser
from suffice.federated.aggregate.privacy import clip, epsilon_spent, gaussian_noise
from suffice.federated.aggregate.robust import krum, make_rule, median, trimmed_mean
from suffice.federated.aggregate.weightings import by_samples, by_staleness, fair, uniform
from suffice.federated.cohort import Updates


def random_updates(k: int, size: int, seed: int) -> Updates:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-4, 3, (k, 1))
    delta = (rng.standard_normal((k, size)) * scale).astype(np.float32)
    loss = rng.random(k) + 0.1
    return Updates(np.arange(k), delta, rng.integers(1, 500, k), loss, loss, np.full(k, 5))


def rows(updates: Updates, index) -> Updates:
    return Updates(*(getattr(updates, name)[index] for name in updates.__dataclass_fields__))


@settings(max_examples=60, deadline=None)
@given(
    k=st.integers(1, 60),
    fan_in=st.integers(2, 9),
    seed=st.integers(0, 2**31),
    weighting=st.sampled_from([by_samples, by_staleness, uniform, fair(1.0, 0.1)]),
)
def test_a_tree_of_any_shape_equals_one_sum(k, fan_in, seed, weighting):
    updates = random_updates(k, 7, seed)
    stale = np.random.default_rng(seed).integers(0, 5, k).astype(float)
    flat = partial_of(updates, weighting, stale)
    level = [partial_of(rows(updates, slice(i, i + 1)), weighting, stale[i : i + 1]) for i in range(k)]
    while len(level) > 1:
        level = [fold(level[i : i + fan_in], 7) for i in range(0, len(level), fan_in)]
    assert np.abs(level[0].mean - flat.mean).max() <= 1e-9 * max(1.0, np.abs(flat.mean).max())
    assert (level[0].reports, level[0].samples) == (flat.reports, flat.samples)


def test_folding_in_float64_keeps_what_float32_loses():
    delta = np.full((4096, 1), 1e-4, dtype=np.float32)
    delta[0] = 3e4
    updates = Updates(np.arange(4096), delta, np.ones(4096, int), *(np.ones(4096),) * 2, np.ones(4096, int))
    exact = (3e4 + 4095 * float(np.float32(1e-4))) / 4096
    assert partial_of(updates, uniform).mean[0] == pytest.approx(exact, rel=1e-12)
    running = np.float32(0)
    for value in delta[:, 0]:
        running += value
    assert abs(float(running) / 4096 / exact - 1) > 1e-6


def test_partials_of_another_model_do_not_fold():
    with pytest.raises(SufficeError, match="does not fit a model of 3"):
        fold([Partial.empty(3), Partial.empty(4)], 3)


def test_broken_updates_are_kept_out_and_counted():
    updates = random_updates(5, 3, 0)
    updates.delta[1, 0], updates.delta[2, 1] = np.nan, np.inf
    updates.delta[3] = 1e9
    assert screen(updates, norm_max=1e6).clients.tolist() == [0, 4]


def test_fair_is_the_plain_mean_at_zero_and_leans_to_high_loss_above():
    updates = random_updates(6, 4, 3)
    plain = partial_of(updates, uniform).mean
    assert partial_of(updates, fair(0.0, 0.1)).mean == pytest.approx(plain, rel=1e-9)
    loss = np.array([0.1, 5.0])
    two = Updates(np.arange(2), np.float32([[1, 0], [0, 1]]), np.ones(2, int), loss, loss, np.ones(2, int))
    towards = partial_of(two, fair(2.0, 0.1)).mean
    assert towards[1] > 100 * towards[0]


@pytest.mark.parametrize("name", ["fedavg", "fedavgm", "fedadam", "fedyogi"])
def test_server_optimisers_descend_leave_buffers_alone_and_resume(name):
    trained = np.array([True, True, False])
    target = np.array([3.0, -2.0, 7.0])
    make = lambda: make_optimiser(name, {"fedavg": 1.0, "fedavgm": 0.3}.get(name, 0.1))  # noqa: E731
    optimiser, weights = make(), np.zeros(3)
    for step in range(300):
        weights = optimiser.step(weights, 0.2 * (target - weights), trained)
        if step == 100:
            other, saved = make(), weights.copy()
            other.restore({key: value.copy() for key, value in optimiser.state().items()})
    for _ in range(199):
        saved = other.step(saved, 0.2 * (target - saved), trained)
    assert weights == pytest.approx(target, abs=0.05)
    assert (saved == weights).all()
    assert make().step(np.zeros(3), np.array([0.0, 0.0, 7.0]), trained)[2] == 7.0


def test_yogi_and_adam_take_the_published_first_step():
    d, tau = 0.5, 1e-3
    for name, second in (("fedadam", 0.99 * tau**2 + 0.01 * d * d), ("fedyogi", tau**2 + 0.01 * d * d)):
        step = make_optimiser(name, 0.03).step(np.zeros(1), np.array([d]), np.array([True]))[0]
        assert step == pytest.approx(0.03 * 0.1 * d / (np.sqrt(second) + tau), rel=1e-12)


@pytest.mark.parametrize("rule", [median, trimmed_mean, krum], ids=lambda r: r.__name__)
@pytest.mark.parametrize("attack", [1e6, -1e6, 30.0])
def test_robust_rules_stay_with_the_honest(rule, attack):
    rng = np.random.default_rng(0)
    honest = rng.normal(1.0, 0.1, (15, 20))
    delta = np.vstack([honest, np.full((5, 20), attack)]).astype(np.float32)
    assert np.abs(delta.mean(axis=0) - 1.0).min() > 5.0
    assert np.abs(rule(delta, 5) - 1.0).max() < 0.4


def test_robust_rules_say_when_there_are_too_few():
    few = np.zeros((4, 2), np.float32)
    for rule in (trimmed_mean, krum):
        with pytest.raises(SufficeError, match="cannot withstand 2 hostile"):
            rule(few, 2)
    with pytest.raises(UsageError, match="did you mean 'krum'"):
        make_rule("krumm")


@pytest.mark.parametrize("compress", [TopK(0.1), Quantise(4)], ids=["topk", "quantise"])
def test_error_feedback_loses_nothing_in_the_long_run(compress):
    rng, clients = np.random.default_rng(0), np.array([4, 9])
    feedback = ErrorFeedback(compress)
    wanted = rng.standard_normal((2, 50)).astype(np.float32)
    sent, backlog = np.zeros_like(wanted), []
    for _ in range(200):
        read, left = feedback.offer(clients, wanted, rng)
        feedback.settle(clients, left)
        sent += read
        backlog.append(np.abs(left).max())
    assert max(backlog[100:]) <= 1.1 * max(backlog[50:100]), "the backlog does not grow: the mean error falls as 1 / n"
    assert np.abs(sent / 200 - wanted).max() < 0.05
    assert compress.bytes_up(1000) < 4000
    state = feedback.state()
    again = ErrorFeedback(compress)
    again.restore(state)
    assert (again.state()["left"] == state["left"]).all()
    total = sent + state["left"]
    assert np.abs(total - 200 * wanted).max() < 1e-2, "what was sent and what is left add up to what was wanted"


def test_quantising_is_unbiased_and_top_k_keeps_the_largest():
    rng = np.random.default_rng(0)
    delta = rng.standard_normal((1, 8)).astype(np.float32)
    mean = np.mean([Quantise(3)(delta, rng) for _ in range(6000)], axis=0)
    assert np.abs(mean - delta).max() < 0.03
    kept = TopK(0.25)(delta, rng)
    assert (np.flatnonzero(kept) == np.sort(np.argsort(-np.abs(delta[0]))[:2])).all()
    assert (Quantise(8)(np.zeros((1, 4), np.float32), rng) == 0).all()


def test_clipping_bounds_every_client_and_drops_buffers():
    updates = random_updates(20, 6, 1)
    trained = np.array([True] * 5 + [False])
    short = clip(updates.delta, 0.5, trained)
    assert np.linalg.norm(short, axis=1).max() <= 0.5 * (1 + 1e-6)
    assert (short[:, 5] == 0).all()
    noise = gaussian_noise(2.0, 0.5, np.ones(20_000, bool), np.random.default_rng(0))
    assert noise.std() == pytest.approx(1.0, rel=0.03)


def test_privacy_is_accounted_for():
    base = epsilon_spent(1.0, 0.01, 100, 1e-6)
    assert 1.0 < base < 2.5
    assert epsilon_spent(2.0, 0.01, 100, 1e-6) < base < epsilon_spent(1.0, 0.01, 1000, 1e-6)
    assert base < epsilon_spent(1.0, 0.1, 100, 1e-6)
    assert epsilon_spent(0.0, 0.1, 1, 1e-6) == float("inf")
    sigma, delta = 5.0, 1e-5
    orders = np.arange(1.01, 400, 0.01)
    by_hand = (orders / (2 * sigma**2) + np.log1p(-1 / orders) - (np.log(delta) + np.log(orders)) / (orders - 1)).min()
    assert epsilon_spent(sigma, 1.0, 1, delta) == pytest.approx(by_hand, rel=0.01)
