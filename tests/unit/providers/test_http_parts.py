"""Pace, retry and spending by the clock's leave; what importing and installing the runners brings."""

from __future__ import annotations

import email.utils
import importlib.metadata
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.models.http.keys import redact
from suffice.models.http.pace import Pace
from suffice.models.http.retry import LONGEST_DELAY_S, Retry, asked_delay_s
from suffice.models.http.spend import Prices, Spend, SpendCapError, Usage


class Clock:
    """Time that passes only in sleep."""

    now_s = 100.0

    def read(self) -> float:
        return self.now_s

    def sleep(self, delay_s: float) -> None:
        self.now_s += delay_s


@given(
    steps=st.lists(st.tuples(st.integers(1, 50), st.floats(0, 9)), min_size=2, max_size=20), rate=st.floats(0.1, 100)
)
def test_pace_never_exceeds_its_rate_nor_starts_in_a_pause(steps: list[tuple[int, float]], rate: float) -> None:
    clock = Clock()
    pace = Pace(rate, clock.read, clock.sleep)
    starts_s = []
    for units, pause_s in steps:
        paused_until_s = clock.now_s + pause_s
        pace.pause(pause_s)
        pace.take(units)
        starts_s.append(clock.now_s)
        assert clock.now_s >= paused_until_s - 1e-6
    for first in range(len(steps)):
        for last in range(first + 1, len(steps)):
            assert sum(units for units, _ in steps[first:last]) / rate <= starts_s[last] - starts_s[first] + 1e-6


def test_pace_makes_up_for_a_low_estimate() -> None:
    clock = Clock()
    pace = Pace(10, clock.read, clock.sleep)
    pace.take()
    pace.correct(20)
    pace.take()
    assert clock.now_s == pytest.approx(102.1)


def test_a_pause_that_comes_while_somebody_waits_holds_for_them_too() -> None:
    clock = Clock()

    def sleep(delay_s: float) -> None:
        clock.sleep(delay_s)
        if clock.now_s < 101:
            pace.pause(5)

    pace = Pace(2, clock.read, sleep)
    pace.take()
    pace.take()
    assert clock.now_s >= 105


def test_pace_without_a_rate_waits_for_nothing_but_pauses() -> None:
    clock = Clock()
    pace = Pace(None, clock.read, clock.sleep)
    for _ in range(1000):
        pace.take(1e9)
    assert clock.now_s == 100.0
    pace.pause(2)
    pace.take()
    assert clock.now_s == 102.0


def test_back_off_grows_with_jitter_up_to_a_bound() -> None:
    retry = Retry(retries_max=20, time_s=1e9)
    delays_s = [[retry.delay_s(n, 0, None) or 0 for _ in range(50)] for n in range(20)]
    for delays, following in pairwise(delays_s[:7]):
        assert max(delays) <= min(following) * 2 and len(set(delays)) > 1
    assert max(map(max, delays_s)) <= LONGEST_DELAY_S
    assert retry.delay_s(20, 0, None) is None


def test_retry_time_is_bounded() -> None:
    retry = Retry(5, 10.0)
    assert retry.delay_s(0, 9.999, 1.0) is None
    assert 2.0 <= (retry.delay_s(0, 7.0, 2.0) or 0) <= 2.2


def test_what_servers_ask_for() -> None:
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert asked_delay_s({"retry-after": "7"}, None) == 7.0
    assert 50 < (asked_delay_s({"retry-after": in_a_minute}, {}) or 0) <= 60
    assert asked_delay_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}) == 0.0
    assert asked_delay_s({}, {"estimated_time": 20.5}) == 20.5
    for nothing in ({"retry-after": "soon"}, {}):
        assert asked_delay_s(nothing, ["x"]) is None


def test_open_calls_count_against_the_caps_and_refused_ones_give_back() -> None:
    spend = Spend(Prices(per_input=1.0), max_price=3.0)
    held = [spend.reserve(1, Usage()) for _ in range(3)]
    with pytest.raises(SpendCapError):
        spend.reserve(1, Usage())
    spend.release(held[0])
    spend.settle(spend.reserve(1, Usage()), 1, Usage())
    assert (spend.calls, spend.price) == (1, 1.0)


def test_secrets_inside_secrets_are_blotted_out() -> None:
    assert redact("a=abcdef123 b=abcdef", frozenset({"abcdef", "abcdef123"})) == "a=*** b=***"
    assert redact("x is 1", frozenset({"1"})) == "x is 1"


def test_importing_the_runners_brings_no_http_library() -> None:
    names = [point.value.partition(":")[0] for point in importlib.metadata.entry_points(group="suffice.runners")]
    ours = sorted(name for name in names if name.startswith("suffice.models.http."))
    assert len(ours) == 5
    script = f"import sys, {', '.join(ours)}; print(sorted({{'httpx', 'jmespath', 'PIL'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
