"""Ten things FedScale (7ec441c) gets wrong: its formula, restated, fails each check; ours passes it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from suffice.errors import SufficeError
from suffice.federated.aggregate import ControlVariates, Partial, fold, partial_of
from suffice.federated.aggregate.optimisers import FedAdam, FedAvg, FedAvgM, FedYogi
from suffice.federated.aggregate.privacy import clip
from suffice.federated.aggregate.weightings import by_samples, by_staleness
from suffice.federated.clock import Arrival, Cost, EventQueue, close_round, duration_s
from suffice.federated.clock.flops import _by_torch, flops_per_sample
from suffice.federated.cohort import Cohort, LocalTraining, Updates
from suffice.federated.config import FederatedConfig
from suffice.federated.layout import Layout
from suffice.federated.selectors import Feedback, Moment, OortSelector
from suffice.federated.selectors.oort import FEDSCALE, PAPER, OortRules
from suffice.federated.simulation import simulate
from suffice.federated.simulation.buffered import buffered_step
from suffice.federated.simulation.run import assemble
from suffice.federated.tasks import ClientData, DigitsTask
from suffice.federated.traces import Traces


class PointsTask:
    """One weight; client k holds the points `targets[k]` of the loss ``(w - target)^2 / 2``."""

    loss = "squared"

    def __init__(self, targets: list[list[float]]) -> None:
        self.targets = targets
        self.samples = np.array([len(t) for t in targets])

    def gather(self, clients, split="train"):
        y = np.concatenate([np.float32(self.targets[c]) for c in clients])
        offsets = np.concatenate([[0], np.cumsum(self.samples[clients])])
        return ClientData(np.ones((len(y), 1), np.float32), y, offsets)

    def test(self):
        return self.gather(np.arange(1))

    def model(self, seed):
        module = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(module.weight)
        return module


def updates_of(delta, samples=None) -> Updates:
    delta = np.asarray(delta, dtype=np.float32)
    k = len(delta)
    ones = np.ones(k)
    return Updates(np.arange(k), delta, np.array(samples or [1] * k), ones, ones, np.ones(k, dtype=np.int64))


def test_1_fedprox_pulls_towards_the_model_received():
    rate, mu, w = 0.05, 0.5, 0.0
    for _ in range(150):
        w -= rate * (w - 3.0)
        w += rate * mu * (w - 0.0)
    assert w > 5.5, "FedScale's sign pushes away, towards 3 / (1 - mu) = 6"
    for method in ("vmap", "loop"):
        local = LocalTraining(rate, local_steps=600, proximal_mu=mu)
        (chunk,) = Cohort(PointsTask([[3.0]]), local, method).train(np.zeros(1), np.array([0]), (0, 0))
        assert chunk.delta[0, 0] == pytest.approx(3.0 / (1.0 + mu), abs=1e-4)


def cursor_online(traces: Traces, client: int):
    """FedScale's check: an index that only moves forward, shared by questions about now and about later."""
    rows = slice(traces.offsets[client], traces.offsets[client + 1])
    starts, ends, held = traces.start_s[rows], traces.end_s[rows], {"index": 0}

    def online(time_s: float) -> bool:
        local = time_s % traces.period_s[client]
        if local > ends[held["index"]]:
            held["index"] = (held["index"] + 1) % len(ends)
        return bool(starts[held["index"]] <= local <= ends[held["index"]])

    return online


def test_2_asking_about_the_future_changes_nothing():
    assert share_missed(0.0) == 0.0, "a cursor that is only asked about now is right"
    assert share_missed(0.03) >= 0.19, "one look ahead in thirty checks, and it overlooks clients that are there"


def share_missed(look_ahead: float) -> float:
    """Of the checks of clients that are online, how many the cursor answers with no, when some of them are followed by
    a look an hour ahead; ours is asked the same."""
    traces, clients = hourly_sessions(150), np.arange(150)
    theirs = [cursor_online(traces, client) for client in clients]
    rng, missed, truly = np.random.default_rng(0), 0, 0
    for time_s in np.arange(0.0, 3 * 86_400.0, 60.0):
        now = traces.online(time_s)
        missed += sum(not theirs[client](time_s) for client in clients[now])
        truly += now.sum()
        for client in clients[now & (rng.random(150) < look_ahead)]:
            theirs[client](time_s + 3600.0)
        traces.online(time_s + 3600.0)
        assert (traces.online(time_s) == now).all()
    return missed / truly


def hourly_sessions(clients: int) -> Traces:
    """A week in which each client is online for half an hour to two and a half, some twenty times."""
    rng, sessions, week = np.random.default_rng(5), 20, 7 * 86_400.0
    slot = week / sessions
    start = np.arange(sessions) * slot + rng.uniform(0, slot - 9_000.0, (clients, sessions))
    end = start + rng.uniform(1_800.0, 9_000.0, start.shape)
    ones = np.ones(clients, np.float32)
    offsets = np.arange(clients + 1, dtype=np.int64) * sessions
    return Traces(*(ones,) * 3, ones * week, offsets, start.ravel().astype(np.float32), end.ravel().astype(np.float32))


def stale_explore(rounds, clients, online_of, count):
    """FedScale's copy of Oort keeps the explored list of an earlier round once nothing is left to explore."""
    seen, explored, picked = set(), [], []
    rng = np.random.default_rng(0)
    for r in range(rounds):
        online = online_of(r)
        known = [c for c in online if c in seen][: round(count * 0.7)]
        fresh = [c for c in online if c not in seen]
        if fresh:
            explored = list(rng.permutation(fresh)[: count - len(known)])
        picked.append([*known, *explored])
        seen.update(explored)
    return picked


@pytest.mark.parametrize("clients,count,share", [(200, 13, 0.3), (50, 20, 0.5), (2000, 130, 0.3)])
@pytest.mark.parametrize("rules", [PAPER, FEDSCALE, OortRules(False, 95.0, 0.95, 0.2, 30.0, uses_max=3)])
def test_3_oort_is_never_short_and_never_picks_who_is_offline(clients, count, share, rules):
    def online_of(r):
        return np.flatnonzero(np.random.default_rng([7, r]).random(clients) < share)

    theirs = stale_explore(300, clients, online_of, count)
    assert any(set(picked) - set(online_of(r)) or len(picked) < count for r, picked in enumerate(theirs))
    selector, rng = OortSelector(np.linspace(1, 20, clients), rules), np.random.default_rng(3)
    for r in range(1, 301):
        online = online_of(r)
        chosen = selector.select(online, count, Moment(r, 0.0), rng)
        assert len(chosen) == len(set(chosen.tolist())) == min(count, len(online))
        assert np.isin(chosen, online).all()
        loss = rng.random(len(chosen))
        done = rng.random(len(chosen)) < 0.9
        selector.observe(Feedback(r, chosen, done, np.full(len(chosen), 30), loss, loss, rng.random(len(chosen)) * 20))


def test_4_the_utility_is_over_all_samples_not_the_last_batch():
    hard_then_easy = [9.0] * 40 + [0.0] * 20
    task = PointsTask([hard_then_easy])
    (chunk,) = Cohort(task, LocalTraining(0.0001, batch_size=20, local_steps=3)).train(
        np.zeros(1), np.array([0]), (0, 0)
    )
    per_sample = 0.5 * np.array(hard_then_easy) ** 2
    last_batch = np.sqrt(np.mean(per_sample[40:] ** 2))
    whole = np.sqrt(np.mean(per_sample**2))
    assert last_batch == 0.0, "FedScale would call this client worthless"
    assert chunk.loss_rms[0] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("optimiser", [FedAvg(), FedAvgM(), FedAdam(), FedYogi()], ids=lambda o: type(o).__name__)
def test_5_every_optimiser_takes_the_one_call_the_server_makes(optimiser):
    with pytest.raises(TypeError):
        SimpleNamespace(set_weights=lambda weights: None).set_weights([0.0], client_training_results=[])
    trained = np.array([True, True, False])
    weights = optimiser.step(np.zeros(3), np.array([1.0, -1.0, 4.0]), trained)
    assert weights[0] > 0 > weights[1] and weights[2] == 4.0


def test_6_weights_are_matched_by_name_and_shape_not_by_value():
    a = np.array([1.0, 2.0])
    assert (a - (a + 5.0)).max() < 1e-4, "FedScale's test without abs() takes a + 5 for a"
    layout = Layout.of(torch.nn.Linear(2, 1, bias=False))
    with pytest.raises(SufficeError, match=r"weight should be \(1, 2\), found \(2, 1\)"):
        layout.flatten({"weight": torch.zeros(2, 1)})
    with pytest.raises(SufficeError, match="found nothing"):
        layout.flatten({"bias": torch.zeros(1, 2)})


def test_7_a_clipped_update_is_added_once():
    start, delta = np.array([1.0]), np.array([[4.0]], dtype=np.float32)
    short = clip(delta, 2.0, np.array([True]))
    theirs = (start + delta[0]) + short[0]
    assert theirs[0] == 7.0, "FedScale's example adds the clipped update to weights already trained"
    ours = FedAvg().step(start, partial_of(updates_of(short), by_samples).mean, np.array([True]))
    assert ours[0] == 3.0


def test_8_asynchronous_steps_fold_updates_and_nobody_trains_twice_at_once():
    start, fresh, stale_by = 10.0, 1.0, 3.0
    weights = 1 / np.sqrt(1 + np.array([0.0, stale_by]))
    theirs = weights @ np.array([start + fresh, 2.0 + fresh]) / weights.sum()
    assert theirs < start, "averaging weights drags the model back to where a stale client set off"
    part = partial_of(updates_of([[fresh], [fresh]]), by_staleness, np.array([0.0, stale_by]))
    assert start + part.mean[0] == pytest.approx(start + (1.0 + 0.5) / 2)
    queue = EventQueue()
    queue.push(Arrival(1.0, 5, 0, 0.0, False))
    with pytest.raises(ValueError, match="already in flight"):
        queue.push(Arrival(2.0, 5, 1, 0.0, False))
    config = FederatedConfig(clients=40, num_participants=5, mode="async", max_concurrency=20, rounds=10)
    run = assemble(config)
    for _ in range(10):
        buffered_step(run)
        in_flight = [arrival.client for arrival in run.queue.arrivals()]
        assert len(in_flight) == len(set(in_flight))


def test_9_a_round_with_nobody_waits_and_failures_are_remembered():
    with pytest.raises(IndexError):
        _ = [][:13][-1]
    close = close_round(5.0, np.zeros(0), np.zeros(0), target=13, deadline_s=60.0)
    assert not close.succeeded and close.wasted_s == 0.0
    run = assemble(FederatedConfig(clients=3, rounds=1, num_participants=2))
    night = Traces(
        *(np.ones(3, np.float32),) * 3,
        np.full(3, 100, np.float32),
        np.arange(4),
        np.full(3, 40, np.float32),
        np.full(3, 90, np.float32),
    )
    run.traces = night
    assert len(run.online()) == 3 and 40.0 <= run.clock_s < 41.0
    run.traces = Traces(*(np.ones(3, np.float32),) * 4, np.zeros(4, np.int64), *(np.zeros(0, np.float32),) * 2)
    with pytest.raises(SufficeError, match="nobody is ever online"):
        run.online()
    selector = OortSelector(np.ones(4))
    nan = np.full(2, np.nan)
    selector.observe(Feedback(1, np.array([0, 1]), np.zeros(2, bool), np.ones(2, int), nan, nan, np.ones(2)))
    assert np.isfinite(selector.scores(np.array([0, 1]), 2)).all()


def test_10_work_grows_with_the_chunk_not_with_the_client(monkeypatch):
    calls = []
    task = DigitsTask(64)
    cohort = Cohort(task, LocalTraining(local_steps=5))
    forward = type(cohort.module).forward
    monkeypatch.setattr(type(cohort.module), "forward", lambda self, x: calls.append(1) or forward(self, x))
    (chunk,) = cohort.train(cohort.layout.flatten(task.model(0).state_dict()), np.arange(64), (0, 0))
    assert len(chunk.clients) == 64
    assert len(calls) == 5 + 1, "five steps and one look at the losses, for all 64 clients together"


def test_the_mean_is_weighted_by_samples():
    updates = updates_of([[0.0], [4.0]], samples=[1, 3])
    assert updates.delta.mean() == 2.0, "FedScale's mean forgets who has more data"
    assert partial_of(updates, by_samples).mean[0] == 3.0


def test_the_clock_sees_samples_and_model():
    traces = Traces.always(2, ms_per_sample=10.0)
    small, large = Cost(6e8, 0, 0, 0), Cost(6e9, 0, 0, 0)
    seconds = duration_s(traces, np.array([0, 1]), np.array([100, 200]), small)
    assert seconds.tolist() == pytest.approx([3.0, 6.0])
    assert duration_s(traces, np.array([0, 1]), np.array([100, 200]), large).tolist() == pytest.approx([30.0, 60.0])


@pytest.mark.parametrize("kind", ["logistic", "mlp", "cnn", "cnn_batchnorm"])
def test_counted_work_is_what_torch_counts(kind):
    task = DigitsTask(3, model=kind)
    sample = task.gather(np.arange(1)).x[:1]
    module = task.model(0)
    assert flops_per_sample(module, sample) == _by_torch(module, sample) > 0


def test_a_straggler_cannot_hold_a_round_forever():
    close = close_round(0.0, np.array([1.0, 1e9]), np.array([np.inf, np.inf]), target=2, deadline_s=60.0)
    assert close.end_s == 60.0 and close.completed.tolist() == [0] and close.late.tolist() == [1]
    assert close.wasted_s == 60.0


def test_scaffold_sends_one_server_variate_a_round():
    control = ControlVariates(np.full(4, 0.25), 1, 0.1)
    assert control.correction(np.array([0, 1, 2])).ravel().tolist() == [0, 0, 0]
    for client in range(3):
        one = updates_of([[0.1]])
        control.observe(Updates(np.array([client]), one.delta, one.samples, one.loss_mean, one.loss_rms, one.steps))
    own = control.state()["own"].ravel()
    assert own == pytest.approx([-1.0] * 3), "the second chunk of a round sees the variate the round was sent"
    assert control.state()["server"][0] == pytest.approx(-0.75)


def test_an_empty_fold_is_an_error_one_can_read():
    with pytest.raises(SufficeError, match="no usable update"):
        _ = fold([], 3).mean
    assert fold([Partial.empty(3)], 3).reports == 0
    assert (
        simulate(FederatedConfig(clients=30, num_participants=3, rounds=2, update_norm_max=1e-12)).rounds[-1].rejected
        == 3
    )
