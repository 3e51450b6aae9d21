"""The scheduler on a virtual clock: nothing is lost, gaps are filled, estimates only cost time."""

from __future__ import annotations

import pytest

from suffice.regional.schedule.board import Board
from suffice.regional.schedule.cost import StepCost, fit
from suffice.regional.schedule.owners import choose_owners
from suffice.regional.schedule.policy import GapFilling, OneByOne
from suffice.regional.schedule.simulate import simulate
from suffice.regional.schedule.trace import TraceRequest, strips, synthetic_trace
from suffice.regional.schedule.unit import Unit

COST = StepCost(0.3, 10.7, 10.9)


def test_one_request_takes_as_long_as_its_path() -> None:
    trace = [TraceRequest(0.0, [[0.5, 0.5], [0.5, 0.5], [0.5, 0.0], [0.5, 0.5]], 1, frozenset({1, 3}))]
    outcome = simulate(trace, [1.0, 1.0], GapFilling(), COST)
    half = COST.seconds(0.5)
    assert outcome.makespan_s == pytest.approx(COST.dense_s + 3 * half)
    assert sum(outcome.busy_s) == pytest.approx(COST.dense_s + 5 * half)


def test_a_slow_worker_is_slow() -> None:
    trace = [TraceRequest(0.0, [[0.5, 0.5]], 0, frozenset({0}))]
    assert simulate(trace, [1.0, 0.5], GapFilling(), COST).makespan_s == pytest.approx(2 * COST.seconds(0.5))


@pytest.mark.parametrize("group", [2, 4, 8])
def test_gaps_are_filled_under_backlog(group: int) -> None:
    trace = synthetic_trace(8 * group, group, active_fraction=0.4, every_s=0.0)
    filled = simulate(trace, [1.0] * group, GapFilling(2 * group + 4, elastic=False), COST)
    one_by_one = simulate(trace, [1.0] * group, OneByOne(), COST)
    static = simulate(strips(trace), [1.0] * group, OneByOne(), COST)
    assert filled.utilisation_in_backlog >= filled.utilisation >= 0.9
    assert filled.makespan_s < 0.75 * one_by_one.makespan_s
    assert filled.makespan_s < static.makespan_s
    assert sum(filled.busy_s) == pytest.approx(sum(one_by_one.busy_s))


@pytest.mark.parametrize("group", [2, 4])
def test_under_backlog_fewer_workers_share_a_request(group: int) -> None:
    """Each fixed cost is paid once, nobody waits for anybody, and the last requests are shared by all again."""
    trace = synthetic_trace(8 * group, group, active_fraction=0.4, every_s=0.0)
    shared = simulate(trace, [1.0] * group, GapFilling(2 * group + 4, elastic=False), COST)
    elastic = simulate(trace, [1.0] * group, GapFilling(2 * group + 4), COST)
    assert elastic.utilisation >= 0.9 and elastic.makespan_s < 1.02 * shared.makespan_s
    assert sum(elastic.busy_s) < sum(shared.busy_s)
    alone = [simulate(trace[:1], [1.0] * group, GapFilling(elastic=e), COST) for e in (True, False)]
    assert alone[0] == alone[1]


def test_the_backlog_is_while_a_request_waits_to_begin() -> None:
    """Two requests of two steps on one worker, then a third when all is over: one waits for 20 s, none after that."""
    steps = [[1.0], [1.0]]
    trace = [TraceRequest(0.0, steps, 0, frozenset({0})), TraceRequest(0.0, steps, 0, frozenset({0}))]
    late = TraceRequest(100.0, steps, 0, frozenset({0}))
    outcome = simulate([*trace, late], [1.0], OneByOne(), StepCost(0.0, 10.0, 10.0))
    assert (outcome.backlog_s, outcome.backlog_busy_s, outcome.utilisation_in_backlog) == (20.0, 20.0, 1.0)
    assert outcome.utilisation == pytest.approx(60 / 120)


def test_a_faster_worker_gets_more_requests() -> None:
    trace = synthetic_trace(16, 4, active_fraction=0.4, every_s=0.0)
    mixed = simulate(trace, [1.0, 0.5, 1.0, 0.5], GapFilling(in_flight_max=12), COST)
    assert mixed.utilisation_in_backlog >= 0.9 and mixed.utilisation >= 0.9
    two, even = {0: (0,), 1: (1,), 2: (0,)}, {0: (0,), 1: (1,)}
    assert choose_owners(GapFilling(), (0, 1), two, speeds={0: 2.0, 1: 0.5}) == (0,)
    assert choose_owners(GapFilling(), (0, 1), even, speeds={0: 1.0, 1: 1.1}, mine=(0,)) == (0,)
    assert choose_owners(GapFilling(), (0, 1), two, speeds={0: 1.0, 1: 1.1}, mine=(0,)) == (1,)


def test_a_worker_holds_one_unit_ahead() -> None:
    """Nothing that others wait for, nothing that a free worker could begin, and no more than one."""
    board = Board(GapFilling(), (0, 1), ahead=1)
    mine = [Unit(request, 0, "some", (0,), seconds=1.0) for request in range(3)]
    board.put_up([*mine, Unit(9, 0, "whole", (0, 1), together=True, seconds=1.0), Unit(8, 0, "warmup", seconds=1.0)])
    assert [board.next_for(0, 0.0) for _ in range(3)] == [mine[0], mine[1], None]
    assert board.busy_until_s[0] == 2.0
    assert board.done(0) and board.next_for(0, 1.0) == mine[2] and board.next_for(0, 1.0) is None
    board.done(0)
    assert board.next_for(0, 2.0) is None  # worker 1 could begin the warm-up
    assert board.next_for(1, 2.0) == Unit(8, 0, "warmup", seconds=1.0)


def test_those_with_the_fewest_requests_own_the_next() -> None:
    policy = GapFilling()
    assert choose_owners(policy, range(4), {}) == (0, 1, 2, 3)
    assert choose_owners(policy, range(4), {0: (0, 1)}) == (2, 3)
    assert choose_owners(policy, range(4), {0: (0, 1), 1: (2,), 2: ()}) == (3,)
    assert choose_owners(policy, range(4), {0: (0, 1)}, deadline_s=9.0) == (0, 1, 2, 3)
    assert choose_owners(OneByOne(), range(4), {0: (0, 1), 1: (2,)}) == (0, 1, 2, 3)


def test_a_deadline_goes_first() -> None:
    patient = TraceRequest(0.0, [[0.5, 0.5]] * 6, 0, frozenset({0}))
    hurried = TraceRequest(1.0, [[0.5, 0.5]] * 6, 0, frozenset({0}), deadline_s=60.0)
    outcome = simulate([patient, patient, hurried], [1.0, 1.0], GapFilling(), COST)
    assert outcome.latency_s[2] < min(outcome.latency_s[:2]) and outcome.late == 0


def test_the_same_trace_is_the_same_outcome() -> None:
    trace = synthetic_trace(20, 4, active_fraction=0.5, every_s=7.0, seed=5)
    runs = [simulate(trace, [1.0, 1.0, 0.5, 2.0], GapFilling(), COST) for _ in range(2)]
    assert runs[0] == runs[1] and len(runs[0].latency_s) == 20


def test_who_waits_for_a_meeting_does_what_ends_before_it() -> None:
    board = Board(GapFilling(), (0, 1))
    board.put_up([Unit(0, 0, "some", (1,), seconds=10.0)])
    assert board.next_for(1, 0.0) is not None
    together = Unit(1, 0, "whole", (0, 1), together=True, seconds=5.0, deadline_s=1.0)
    board.put_up([together, Unit(2, 0, "some", (0,), seconds=4.0), Unit(3, 0, "some", (0,), seconds=20.0)])
    first = board.next_for(0, 0.0)
    assert first is not None and first.request == 2
    board.done(0)
    assert board.next_for(0, 4.0) == together and not board.free(0)
    board.done(1)
    assert board.next_for(1, 10.0) == together
    assert not board.done(0) and board.done(1)


def test_requests_in_flight_are_bounded() -> None:
    board = Board(GapFilling(in_flight_max=1), (0, 1))
    board.put_up([Unit(0, 0, "warmup"), Unit(1, 0, "warmup")])
    assert board.next_for(0, 0.0) is not None and board.next_for(1, 0.0) is None


def test_break_even() -> None:
    cost = fit([(0.25, 3.0), (0.5, 5.0), (1.0, 9.0)], dense_s=7.0)
    assert cost.break_even == pytest.approx(0.75) and cost.seconds(0) == 0
    assert fit([(0.5, 4.0), (1.0, 8.0)], dense_s=9.0).break_even == 1.0
