from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SufficeError
from suffice.federated.aggregate import Partial
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.pacing import Pacing, come_back_in_s, is_wanted
from suffice.federated.checkin.root import advance, fold_here
from suffice.federated.checkin.service import RefusedError, checked_update
from suffice.federated.checkin.stores import Store, StoredUpdate, TaskSettings, open_store
from suffice.federated.checkin.token import Token, TokenError, sign, verify
from suffice.federated.checkin.tree import Node, children, levels
from suffice.federated.checkin.wire import partial_from_bytes, partial_to_bytes, weights_from_bytes, weights_to_bytes

SECRET = b"sixteen bytes or more"
TOKEN = Token("phone-7", "digits", 3, 1000.0)


def test_a_token_comes_back_as_it_went():
    assert verify(sign(TOKEN, SECRET), SECRET, 999.0) == TOKEN


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_change_to_a_token_is_noticed(place, flip):
    signed = bytearray(sign(TOKEN, SECRET))
    signed[place % len(signed)] ^= flip
    with pytest.raises(TokenError, match="not one of ours"):
        verify(bytes(signed), SECRET, 0.0)


def test_forged_empty_and_expired_tokens_are_refused():
    for signed in (b"", b"x" * 10, sign(TOKEN, b"another secret, long enough")):
        with pytest.raises(TokenError, match="not one of ours"):
            verify(signed, SECRET, 0.0)
    with pytest.raises(TokenError, match="expired 5 s ago"):
        verify(sign(TOKEN, SECRET), SECRET, 1005.0)


def test_names_do_not_run_into_each_other():
    assert Token("ab", "c", 0, 0).update_id != Token("a", "bc", 0, 0).update_id
    assert TOKEN.update_id == TOKEN._replace(expires_s=5.0).update_id != TOKEN._replace(version=4).update_id


def test_as_many_are_wanted_as_a_round_needs_and_the_rest_come_back_spread_out():
    pacing = Pacing(target=100, population=5000, overcommitment=1.3, round_s=60.0)
    wanted = [c for c in range(5000) if is_wanted(pacing, str(c), "t", 1, SECRET)]
    assert 95 < len(wanted) < 170
    other = [c for c in range(5000) if is_wanted(pacing, str(c), "t", 2, SECRET)]
    assert len(set(wanted) & set(other)) < 20, "every version draws anew"
    waits = [come_back_in_s(pacing, 10.0, str(c), "t", 1, SECRET) for c in range(5000)]
    counts = np.histogram(waits, bins=10, range=(10.0, 70.0))[0]
    assert counts.sum() == 5000 and counts.min() > 400


@given(st.integers(0, 3000), st.integers(2, 20))
def test_the_tree_covers_every_update_once(updates, fan_in):
    widths = levels(updates, fan_in)
    assert (not widths) == (updates == 0)
    below = updates
    for level, width in enumerate(widths):
        covered = [c for place in range(width) for c in children(Node(level, place), updates, fan_in)]
        assert covered == list(range(below))
        below = width
    assert below <= 1


def test_bytes_are_checked():
    weights = np.arange(5, dtype=np.float32)
    assert (weights_from_bytes(weights_to_bytes(weights), 5) == weights).all()
    for data, message in (
        (b"123", "no 5 float32"),
        (weights_to_bytes(weights * np.nan), "5 of 5 weights are not finite"),
    ):
        with pytest.raises(SufficeError, match=message):
            weights_from_bytes(data, 5)
    partial = Partial(np.array([1.5, np.pi]), 2.25, 3, 40, 5.5, 1)
    back = partial_from_bytes(partial_to_bytes(partial))
    assert (back.delta_sum == partial.delta_sum).all() and back.weight == 2.25 and back.rejected == 1


def task_in(path, **change) -> Store:
    store = open_store(path)
    options = {"target": 4, "fan_in": 2, "round_s": 10.0} | change
    store.create_task("t", TaskSettings(size=3, layout_digest="d", **options), np.zeros(3), 0.0)
    return store


def put(store: Store, client: int, version: int = 0) -> str:
    update = StoredUpdate(client + 1, 0.5, np.full(3, client, dtype=np.float32))
    return store.add_upload("t", version, Token(str(client), "t", version, 0).update_id, update)


def mean_of(clients) -> float:
    return sum((c + 1) * c for c in clients) / sum(c + 1 for c in clients)


def test_an_update_counts_once_and_a_closed_round_takes_no_more(tmp_path):
    store = task_in(tmp_path / "s")
    assert [put(store, 1), put(store, 1), put(store, 2)] == ["accepted", "duplicate", "accepted"]
    assert store.status("t").received == 2
    store.close_round("t", 0)
    store.close_round("t", 0)
    assert [put(store, 3), put(store, 2)] == ["closed", "duplicate"]
    assert store.status("t").reports == 2


@pytest.mark.parametrize("fan_in", [2, 3, 16])
@pytest.mark.parametrize("optimiser", ["fedavg", "fedyogi"])
def test_the_tree_publishes_what_a_flat_sum_would(tmp_path, fan_in, optimiser):
    store = task_in(tmp_path / "s", target=11, fan_in=fan_in, optimiser=optimiser)
    fold = fold_here(store, "t")
    for version in range(3):
        for client in range(11):
            assert not advance(store, "t", fold, 1.0)
            put(store, client, version)
        assert advance(store, "t", fold, 1.0)
    weights = weights_from_bytes(store.weights_bytes("t", 3), 3)
    if optimiser == "fedavg":
        assert weights == pytest.approx(3 * mean_of(range(11)), rel=1e-6)
    from suffice.federated.aggregate.optimisers import make_optimiser

    other, expected = make_optimiser(optimiser, 1.0), np.zeros(3)
    for _ in range(3):
        expected = other.step(expected, np.full(3, mean_of(range(11))), np.ones(3, bool))
    assert weights == pytest.approx(expected, rel=1e-6)


def test_a_round_closes_on_its_deadline_with_enough_reports_and_waits_with_fewer(tmp_path):
    store = task_in(tmp_path / "s", reports_min=2)
    fold = fold_here(store, "t")
    put(store, 0)
    assert not advance(store, "t", fold, 11.0), "one report is too few: another ten seconds"
    put(store, 5)
    assert not advance(store, "t", fold, 20.0)
    assert advance(store, "t", fold, 21.5)
    assert weights_from_bytes(store.weights_bytes("t", 1), 3) == pytest.approx(mean_of([0, 5]))


def header(data: bytes, **change) -> pb.UploadHeader:
    fields = {"layout_digest": "d", "samples": 5, "loss_mean": 0.3, "sha256": hashlib.sha256(data).digest()}
    return pb.UploadHeader(**{**fields, **change})


@pytest.mark.parametrize(
    "values,change,message",
    [
        ([1, 2, 3], {"layout_digest": "e"}, "another shape"),
        ([1, 2, 3], {"sha256": b""}, "checksum"),
        ([1, 2, 3], {"samples": 0}, "no samples"),
        ([1, 2, 3], {"samples": 10**9}, "more samples than"),
        ([1, 2, 3], {"loss_mean": float("nan")}, "not finite"),
        ([1, np.nan, 3], {}, "not finite"),
        ([1, 2], {}, "wrong number of bytes"),
        ([1e9, 0, 0], {}, "longer than any sound update"),
    ],
)
def test_a_malformed_update_is_refused_with_the_reason(values, change, message):
    data = weights_to_bytes(np.array(values, dtype=np.float32))
    task = TaskSettings(size=3, layout_digest="d", target=1)
    with pytest.raises(RefusedError, match=message):
        checked_update(task, header(data, **change), data)
    good = weights_to_bytes(np.ones(3, dtype=np.float32))
    assert checked_update(task, header(good), good).samples == 5


def test_a_deployment_takes_the_settings_of_a_configuration(tmp_path):
    from suffice.federated import FederatedConfig
    from suffice.federated.checkin.deployment import create
    from suffice.federated.layout import Layout
    from suffice.federated.tasks import DigitsTask

    config = FederatedConfig(data_set="digits", clients=30, model="cnn_batchnorm", gradient_policy="fed-yogi", seed=4)
    store = open_store(tmp_path / "s")
    settings = create(store, "t", config)
    assert (settings.optimiser, settings.server_learning_rate, settings.population) == ("fedyogi", 0.03, 30)
    layout = Layout.of(DigitsTask(30, model="cnn_batchnorm").model(4))
    averaged = np.zeros(layout.size, bool)
    for first, last in settings.statistics:
        averaged[first:last] = True
    assert (averaged == ~layout.trained).all()
    for change in ({"gradient_policy": "scaffold"}, {"mode": "async"}, {"robust": "median"}):
        with pytest.raises(SufficeError, match="folds in a tree"):
            create(store, "u", FederatedConfig(data_set="digits", clients=30, **change))
    for change in ({"privacy": "central"}, {"compression": "topk:0.1"}, {"momentum": 0.9}, {"weight_decay": 0.1}):
        with pytest.raises(SufficeError, match="simulated only"):
            create(store, "u", FederatedConfig(data_set="digits", clients=30, **change))
    for threshold in (50, 101):
        with pytest.raises(SufficeError, match="more than half of num_participants"):
            create(store, "u", FederatedConfig(data_set="digits", clients=30, secure_threshold=threshold))
