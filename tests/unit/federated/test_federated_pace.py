from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from math import nan
from pathlib import Path

import pytest

from suffice.errors import SufficeError
from suffice.federated.pace import (
    Choice,
    Controller,
    Profile,
    Terms,
    Timing,
    all_choices,
    pace_command,
    prune,
    slices,
    strained,
    supervise,
    waiting,
    waits,
)
from suffice.federated.pace.place import place
from suffice.federated.pace.process import ThreadUse, give_way
from suffice.federated.pace.profile import disturbed, keeps_up
from suffice.federated.pace.steps import create_counter, read_counter

# One nicer than the tests: at idle priority a command gets nowhere while other tests keep the cores busy.
NICE = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 1)


def profile(cores: int, step_s: float, cost: float) -> Profile:
    return Profile(Choice(tuple(range(cores)), cores), step_s, cost, 1.0, step_s, 0.0)


def test_choices_are_the_fastest_cores_and_each_kind():
    phone = {0: 0.4, 1: 0.4, 2: 0.4, 3: 0.4, 4: 1.0, 5: 1.0}
    found = [choice.cores for choice in all_choices(phone)]
    assert list(dict.fromkeys(found)) == [(4,), (4, 5), (0, 1, 4, 5), (0, 1, 2, 3, 4, 5), (0, 1, 2, 3)]
    assert Choice((0, 1, 4, 5), 2) in all_choices(phone) and Choice((0, 1, 4, 5), 4) in all_choices(phone)
    here = all_choices()
    assert tuple(sorted(os.sched_getaffinity(0))) in [choice.cores for choice in here]


def test_more_cores_that_do_not_help_are_pruned():
    fast, thrashing, one = profile(2, 0.5, 1.0), profile(4, 0.6, 2.4), profile(1, 0.9, 0.9)
    assert prune([one, thrashing, fast]) == [fast, one]
    assert prune([profile(4, 0.3, 1.2), fast, one])[0].choice.cores == (0, 1, 2, 3)


CHAIN = [profile(4, 0.25, 1.0), profile(2, 0.5, 1.0), profile(1, 1.0, 1.0)]


def walk(inflations, **options):
    controller, cores = Controller(CHAIN, **options), []
    for second, value in enumerate(inflations):
        cores.append(len(controller.observe(value > 1.3, float(second)).choice.cores))
    return cores


def test_alone_it_never_leaves_all_cores():
    assert set(walk([1.0, 1.2, 0.9] * 50)) == {4}


def test_one_slow_step_is_not_interference():
    assert set(walk([1.0, 5.0, 5.0, 1.0] * 20)) == {4}


def test_it_steps_down_while_others_work_and_comes_back_after():
    cores = walk([2.0] * 10 + [1.0] * 60, retry_s=5.0)
    assert cores[:10] == [4, 4, 2, 2, 2, 1, 1, 1, 1, 1]
    assert cores[-1] == 4


def test_tries_become_rarer_while_they_fail():
    controller, tries = Controller(CHAIN[:2], retry_s=4.0, retry_max_s=64.0), []
    for second in range(400):
        busy_on_four = len(controller.current.choice.cores) == 4
        before = len(controller.current.choice.cores)
        after = len(controller.observe(busy_on_four, float(second)).choice.cores)
        tries += [second] if after > before else []
    gaps = [b - a for a, b in itertools.pairwise(tries)]
    assert gaps == sorted(gaps) and gaps[-1] >= 5 * gaps[0]


def test_heat_steps_down_at_once_and_keeps_it_there():
    hot = {"now": True}
    controller = Controller(CHAIN, too_hot=lambda: hot["now"], retry_s=1.0)
    assert [len(controller.observe(False, float(t)).choice.cores) for t in range(4)] == [2, 1, 1, 1]
    hot["now"] = False
    assert [len(controller.observe(False, 10.0 + t).choice.cores) for t in range(3)][-1] == 4


@pytest.mark.parametrize(
    "millidegrees,battery,asks_for_less",
    [(84_000, "Charging", False), (86_000, "Full", True), (40_000, "Discharging", True), (None, None, False)],
)
def test_a_hot_processor_or_a_battery_that_runs_down_asks_for_less(tmp_path, millidegrees, battery, asks_for_less):
    if battery is not None:
        for name, text in (("thermal/thermal_zone0/temp", millidegrees), ("power_supply/BAT0/status", battery)):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text(f"{text}\n")
        (tmp_path / "thermal" / "thermal_zone1" / "temp").mkdir(parents=True)
    assert strained(85.0, system=tmp_path) == asks_for_less


def test_somebody_else_is_seen_by_waiting_or_by_slower_steps():
    known = Profile(Choice((0,), 1), 0.01, 1.0, 1.0, busy_s=0.01, others=0.3, steps=100)
    assert not disturbed(known._replace(busy_s=0.012, delay=1.04), known)
    assert disturbed(known._replace(delay=1.06), known)
    slow = known._replace(busy_s=0.014)
    assert not disturbed(slow, known), "the machine itself is slower: others are at work no more than before"
    assert not disturbed(slow._replace(others=0.45), known), "no more than the kernel's account is wrong by"
    assert disturbed(slow._replace(others=0.6), known)
    assert disturbed(slow._replace(others=nan), known._replace(others=nan)), "nobody knows of others"
    assert not disturbed(known._replace(busy_s=9.0, others=1.0, steps=0), known), (
        "no step, so nothing is known of steps"
    )
    crowded = known._replace(delay=2.0)
    assert not disturbed(crowded, crowded), "threads that wait for each other are nobody else"


def test_work_that_is_interfered_with_stays_unless_it_would_do_much_more_below():
    below = profile(1, 1.0, 1.0)._replace(steps=10)
    now = profile(2, 1.2, 1.0)._replace(steps=10)
    assert keeps_up(now, below), "the machine may have been faster when the other was measured"
    assert not keeps_up(now._replace(step_s=1.5), below)
    assert keeps_up(now._replace(step_s=9.0), None), "there is nothing below"
    assert not keeps_up(now._replace(steps=0), below), "steps and seconds are not compared"


def test_waiting_is_the_worst_threads_and_belongs_to_its_core():
    before = {1: ThreadUse(5.0, 1.0, 0), 2: ThreadUse(2.0, 0.0, 0)}
    after = {1: ThreadUse(6.0, 1.0, 0), 2: ThreadUse(2.8, 0.2, 1), 3: ThreadUse(0.01, 0.5, 1)}
    assert waits.delay(before, after) == pytest.approx(1.25), "the third hardly ran"
    assert waits.waited_s(before, after) == pytest.approx({0: 0.0, 1: 0.7})
    assert waits.run_s(before, after) == pytest.approx(1.81)
    assert waits.active(before, after) == [1, 2]
    assert waits.delay({}, {}) == 1.0


def test_idle_work_goes_where_it_gives_way_and_merely_nice_work_where_it_is_alone():
    one, capacity = Choice((0,), 1), {0: 1.0, 1: 1.0, 2: 0.4}
    assert place(one, {}, capacity, yields_at_once=True) == one
    assert place(one, {1: 0.1}, capacity, yields_at_once=True).cores == (1,)
    assert place(one, {0: 0.1}, capacity, yields_at_once=True).cores == (0,)
    assert place(one, {0: 0.1}, capacity, yields_at_once=False).cores == (1,), "never to a slower kind"
    assert place(Choice((0, 1), 2), {1: 0.1}, capacity, yields_at_once=True).cores == (0, 1)


class Scripted:
    """Work of which two cores do more than one, except at first; over after `looks`."""

    def __init__(self, counter, looks):
        self.counter, self.over, self._left, self._at_s = counter, threading.Event(), looks, 0.0

    def stretch(self, choice, seconds, last=None):
        time.sleep(seconds / 10)
        self._left, self._at_s = self._left - 1, self._at_s + seconds
        if self._left <= 0:
            self.over.set()
        step_s = 1.2 if len(choice.cores) == 2 and self._at_s < 0.02 else 1.0 / len(choice.cores)
        return supervise._Stretch(Profile(choice, step_s, 1.0, 1.0, step_s, 0.0, 9), self._at_s, {}, [])


def test_a_first_look_that_misled_is_corrected_by_another(tmp_path):
    create_counter(tmp_path / "n")
    terms = Terms((Choice((0,), 1), Choice((0, 1), 2)), Timing(0.0, 0.01, 0.01, again_s=0.001))
    with ThreadPoolExecutor(1) as beside:
        # In a thread of its own, for it gives way for good.
        found = beside.submit(supervise.supervise, Scripted(tmp_path / "n", 60), terms).result()
    assert [len(choice.cores) for _, choice in found.moves] == [1, 2]


@pytest.mark.parametrize("took_s,whole", [(0.012, True), (7.0, False)])
def test_a_stretch_in_which_everything_was_stopped_says_nothing(tmp_path, monkeypatch, took_s, whole):
    create_counter(tmp_path / "n")
    paced = supervise.Paced(os.getpid(), tmp_path / "n", threading.Event())
    readings = [
        supervise._Reading(second, steps, {1: ThreadUse(run_s, 0.0, 0)}, None, 0.0)
        for second, steps, run_s in ((100.0, 5, 1.0), (100.0 + took_s, 9, 1.01))
    ]
    monkeypatch.setattr(supervise.Paced, "read", lambda self: readings.pop(0))
    found = paced.stretch(Choice(tuple(os.sched_getaffinity(0)), 1), 0.01)
    assert found.whole == whole and found.profile.steps == 4


SCRIPT = """
import os, time
from suffice.federated.pace import step
end = time.process_time() + float({seconds})
seen = set()
while time.process_time() < end:
    sum(i * i for i in range(20000))
    seen.add(tuple(sorted(os.sched_getaffinity(0))))
    {step}
print(os.getpriority(os.PRIO_PROCESS, 0), sorted(seen))
raise SystemExit({code})
"""


def script(tmp_path, seconds=1.5, step="step()", code=0):
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(SCRIPT).format(seconds=seconds, step=step, code=code))
    return [sys.executable, str(path)]


@pytest.mark.parametrize("step", ["step()", "pass"], ids=["steps", "opaque"])
def test_a_command_is_profiled_on_every_choice_and_ends_as_it_would(tmp_path, step, capfd):
    choices = all_choices()
    timing = Timing(start_s=0.5, profile_s=0.3, window_s=0.1)
    report = pace_command(script(tmp_path, seconds=4.0, step=step, code=3), Terms(timing=timing, niceness=NICE))
    assert report.exit_code == 3 and report.cpu_s > 0
    assert [p.choice for p in report.profiles] == choices
    assert (report.steps > 10) == (step == "step()")
    assert set(report.chain) <= set(report.profiles) and report.moves[0][1] == report.chain[0].choice
    nicer, _, seen = capfd.readouterr().out.partition(" ")
    assert nicer == str(NICE)
    assert all(str(choice.cores) in seen for choice in choices)


def autogroup(pid: int) -> str:
    """What the kernel weighs the session of `pid` with; nothing where it does not group by session."""
    file = Path(f"/proc/{pid}/autogroup")
    return file.read_text().rpartition("nice ")[2].strip() if file.exists() else ""


def interruptible(pid: int) -> bool:
    """Whether `pid` is idle, or as nice and patient as can be."""
    policy = os.sched_getscheduler(pid)
    return policy == os.SCHED_IDLE or (policy == os.SCHED_BATCH and os.getpriority(os.PRIO_PROCESS, pid) == 19)


def test_where_slices_cannot_be_long_the_work_is_idle(monkeypatch):
    monkeypatch.setattr(slices, "_NUMBERS", {})
    with subprocess.Popen(["sleep", "60"]) as child:
        give_way(child.pid, None)
        assert os.sched_getscheduler(child.pid) == os.SCHED_IDLE
        child.kill()


def test_giving_way_is_at_once_by_default_or_as_nice_as_asked():
    ours = autogroup(os.getpid())
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    beside = subprocess.Popen(["sleep", "60"])
    try:
        give_way(child.pid, 7)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == 7 and autogroup(child.pid) in ("7", "")
        give_way(child.pid, None)
        assert interruptible(child.pid) and autogroup(child.pid) in ("19", "")
        give_way(beside.pid, None)
        assert interruptible(beside.pid) and autogroup(os.getpid()) == ours
    finally:
        for one in (child, beside):
            one.kill()
            one.wait()


TREE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_a_paced_command_ends_with_whoever_paces_it_and_leaves_nothing_behind(tmp_path, how):
    (tmp_path / "tree.py").write_text(TREE)
    command = [sys.executable, "-m", "suffice", "pace", "--nice", str(NICE), "--", sys.executable, tmp_path / "tree.py"]

    def hear_interrupts() -> None:
        # Whatever was started in a shell's background ignores them.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "preexec_fn": hear_interrupts}
    with subprocess.Popen(command, **quiet) as running:
        grandchild = int(running.stdout.readline())
        running.send_signal(how)
        assert running.wait(30) != 0
    for _ in range(100):
        if not Path(f"/proc/{grandchild}").exists() or Path(f"/proc/{grandchild}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("a process of the paced command is still there")


def test_a_command_that_is_not_there_or_ends_at_once(tmp_path):
    with pytest.raises(SufficeError, match="cannot start 'no-such-command'"):
        pace_command(["no-such-command"])
    report = pace_command([sys.executable, "-c", ""], Terms(timing=Timing(profile_s=0.2), niceness=NICE))
    assert report.exit_code == 0 and report.chain == ()


def test_the_command_line_passes_options_on_and_prints_json(tmp_path):
    arguments = [
        "pace",
        "--json",
        "--nice",
        str(NICE),
        "--profile-s",
        "0.1",
        "--",
        *script(tmp_path, seconds=1.5, code=4),
    ]
    command = [sys.executable, "-m", "suffice", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 4, result.stderr
    printed = json.loads(result.stdout)
    assert printed["steps"] > 0 and printed["profiles"] and printed["moves"]


def test_steps_are_counted_for_whoever_asks(tmp_path, monkeypatch):
    from suffice.federated.pace import steps

    monkeypatch.delenv(steps.VARIABLE, raising=False)
    steps.step()
    create_counter(tmp_path / "n")
    monkeypatch.setenv(steps.VARIABLE, str(tmp_path / "n"))
    for _ in range(5):
        steps.step()
    assert read_counter(tmp_path / "n") == 5


def test_the_script_hears_how_many_threads_to_take(tmp_path, monkeypatch):
    import torch

    from suffice.federated.pace import steps

    monkeypatch.setattr(steps, "_threads", 0)
    create_counter(tmp_path / "n")
    monkeypatch.setenv(steps.VARIABLE, str(tmp_path / "n"))
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    for threads in (2, 2, 1):
        steps.ask_threads(tmp_path / "n", threads)
        steps.step()
    assert asked == [2, 1] and read_counter(tmp_path / "n") == 3


def test_threads_spin_for_a_moment_where_nobody_said_how_long():
    assert int(waiting.brief_spins({})["GOMP_SPINCOUNT"]) > 0
    assert waiting.brief_spins({"OMP_WAIT_POLICY": "ACTIVE"}) == {} == waiting.brief_spins({"GOMP_SPINCOUNT": "7"})


INSIDE = """
import os, time
from pathlib import Path
from suffice.federated.pace import Terms, Timing, paced, step
before = os.sched_getaffinity(0)
seen, niceness = set(), set()
with paced(Terms(timing=Timing(profile_s=0.3, window_s=0.1), niceness={niceness})):
    end = time.process_time() + 2.5
    while time.process_time() < end:
        sum(i * i for i in range(20000))
        step()
        seen.add(tuple(sorted(os.sched_getaffinity(0))))
        niceness |= {{os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in Path("/proc/self/task").iterdir()}}
    counted = "SUFFICE_PACE_STEPS" in os.environ
step()
print(counted, "SUFFICE_PACE_STEPS" in os.environ, os.sched_getaffinity(0) == before, niceness, sep="|")
print(sorted(seen))
"""


def test_a_process_paces_itself_and_has_its_cores_back_after(tmp_path):
    (tmp_path / "inside.py").write_text(INSIDE.format(niceness=NICE))
    said = subprocess.run([sys.executable, tmp_path / "inside.py"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"True|False|True|{{{NICE}}}\n"), "the thread that watches is as nice"
    assert all(str(choice.cores) in said for choice in all_choices())
