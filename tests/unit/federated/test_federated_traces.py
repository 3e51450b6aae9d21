from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import SufficeError
from suffice.federated.traces import Traces, read_fedscale, synthetic_traces, trace_statistics, write_fedscale

PERIOD_S = 100


def traces_of(sessions: list[list[tuple[float, float]]]) -> Traces:
    n = len(sessions)
    ones = np.ones(n, dtype=np.float32)
    offsets = np.concatenate([[0], np.cumsum([len(s) for s in sessions])]).astype(np.int64)
    flat = np.array([pair for s in sessions for pair in s], dtype=np.float32).reshape(-1, 2)
    return Traces(ones, ones, ones, ones * PERIOD_S, offsets, flat[:, 0], flat[:, 1])


def brute_online(sessions: list[tuple[float, float]], time_s: int) -> bool:
    return any(a <= time_s % PERIOD_S < b for a, b in sessions)


@st.composite
def clients(draw):
    def one():
        marks = sorted(draw(st.sets(st.integers(0, PERIOD_S), max_size=8)))
        marks = marks[: len(marks) // 2 * 2]
        return list(zip(marks[::2], marks[1::2], strict=True))

    return [one() for _ in range(draw(st.integers(1, 5)))]


@settings(max_examples=60, deadline=None)
@given(clients(), st.integers(0, 350))
def test_questions_of_time_agree_with_looking_at_every_second(sessions, time_s):
    traces = traces_of(sessions)
    online, until = traces.online(time_s), traces.online_until(time_s)
    following = traces.next_online(time_s)
    for i, own in enumerate(sessions):
        assert online[i] == brute_online(own, time_s)
        later = range(time_s, time_s + 2 * PERIOD_S)
        ends = next((t for t in later if not brute_online(own, t)), np.inf) if online[i] else time_s
        assert until[i] == ends
        assert following[i] == next((t for t in later if brute_online(own, t)), np.inf)


def test_a_million_clients_fit_in_200_mb():
    traces = synthetic_traces(100_000)
    assert traces.nbytes * 10 <= 200e6
    assert len(traces.start_s) / len(traces) > 15


def test_synthetic_devices_have_the_shape_they_claim():
    statistics = trace_statistics(synthetic_traces(20_000, seed=3))
    share = np.array(statistics.online_share_by_hour)
    assert 3.0 < share.max() / share.min() < 7.0 and share.argmax() < 5
    assert 4.0 < statistics.session_minutes_p50 < 6.0
    assert 8.0 < statistics.speed_p90_over_p10 < 12.0
    assert 3.5 < statistics.down_over_up_median < 4.5


def test_the_same_seed_gives_the_same_devices():
    a, b, c = (synthetic_traces(500, seed=seed) for seed in (1, 1, 2))
    assert (a.start_s == b.start_s).all() and a.ms_per_sample[0] != c.ms_per_sample[0]


def test_fedscale_files_round_trip(tmp_path):
    traces = synthetic_traces(200, seed=5)
    write_fedscale(traces, tmp_path / "capacity", tmp_path / "behave")
    back = read_fedscale(tmp_path / "capacity", tmp_path / "behave")
    assert (back.start_s == traces.start_s).all() and (back.end_s == traces.end_s).all()
    assert (back.ms_per_sample == traces.ms_per_sample).all() and (back.up_kbps == traces.up_kbps).all()


def test_availability_repeats_over_more_devices(tmp_path):
    (tmp_path / "c").write_bytes(pickle.dumps({i: {"computation": 150.0, "communication": 2000.0} for i in range(3)}))
    (tmp_path / "a").write_bytes(pickle.dumps({0: {"active": [10], "inactive": [20], "finish_time": 50}}))
    assert read_fedscale(tmp_path / "c", tmp_path / "a").online(65.0).tolist() == [True] * 3
    assert read_fedscale(tmp_path / "c").online(65.0).all()


class Harmful:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize(
    "content,message",
    [
        (pickle.dumps({0: Harmful()}), "refused: the pickle asks for builtins.print"),
        (pickle.dumps([1, 2]), "expected a dict of clients, found list"),
        (pickle.dumps({0: {"computation": 1.0}}), "lacks the field 'communication'"),
        (b"not a pickle", "not a readable pickle"),
    ],
)
def test_a_file_that_is_not_a_trace_is_refused(tmp_path, capsys, content, message):
    (tmp_path / "capacity").write_bytes(content)
    with pytest.raises(SufficeError, match=message):
        read_fedscale(tmp_path / "capacity")
    assert "code ran" not in capsys.readouterr().out


GOOD = {"computation": 10.0, "communication": 1000.0}
DAY = {"active": [0.0], "inactive": [50.0], "finish_time": 100.0}


@pytest.mark.parametrize(
    "device,day,message",
    [
        ({"computation": -3.0}, {}, "ms_per_sample of client 0 is -3, not above 0"),
        ({"computation": float("nan")}, {}, "ms_per_sample of client 0 is nan"),
        ({"communication": 0.0}, {}, "down_kbps of client 0 is 0"),
        ({"computation": "fast"}, {}, "not numbers where they belong"),
        ({}, {"finish_time": 0.0}, "period_s of client 0 is 0"),
        ({}, {"active": 5}, "not numbers where they belong"),
        ({}, {"inactive": [float("nan")]}, "ascend without overlap"),
    ],
)
def test_devices_that_cannot_be_are_refused(tmp_path, device, day, message):
    (tmp_path / "capacity").write_bytes(pickle.dumps({1: GOOD | device}))
    (tmp_path / "days").write_bytes(pickle.dumps({1: DAY | day}))
    with pytest.raises(SufficeError, match=message):
        read_fedscale(tmp_path / "capacity", tmp_path / "days")


def test_sessions_end_with_the_trace_they_are_in(tmp_path):
    (tmp_path / "capacity").write_bytes(pickle.dumps({1: GOOD}))
    day = {"active": [-5.0, 90.0, 120.0, 140.0], "inactive": [15.0, 150.0, 130.0], "finish_time": 100.0}
    (tmp_path / "days").write_bytes(pickle.dumps({1: day}))
    traces = read_fedscale(tmp_path / "capacity", tmp_path / "days")
    assert (traces.start_s.tolist(), traces.end_s.tolist()) == ([0.0, 90.0], [15.0, 100.0])
    assert [bool(traces.online(time_s)[0]) for time_s in (0, 14, 50, 95, 114, 120)] == [1, 1, 0, 1, 1, 0]


def test_overlapping_sessions_are_refused():
    with pytest.raises(SufficeError, match="ascend without overlap"):
        traces_of([[(0, 10), (5, 20)]])
    traces_of([[(50, 60)], [(0, 10)]])
