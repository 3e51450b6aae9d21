"""Workers that wait for each other make the picture of one process; a lost worker changes nothing."""

from __future__ import annotations

import copy
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_diffusion import tiny_checkpoint  # noqa: E402

from suffice.errors import UsageError  # noqa: E402
from suffice.regional.denoiser import Networks, opened  # noqa: E402
from suffice.regional.local import LocalEngine  # noqa: E402
from suffice.regional.model import Model, load  # noqa: E402
from suffice.regional.schedule.policy import OneByOne  # noqa: E402
from suffice.regional.settings import RequestSettings, SkipSettings  # noqa: E402
from suffice.regional.tiles import TileGrid  # noqa: E402
from suffice.regional.workers.fleet import ProcessFleet, ThreadFleet, WorkerError  # noqa: E402
from suffice.regional.workers.planner import Planner  # noqa: E402

BUDGET = SkipSettings(mode="budget", rest="apart", active_fraction=0.87, warmup_steps=2, reset_every=0)
ASKED = RequestSettings("a red bus", steps=6, height=32, width=48, seed=3, regions=6, skip=BUDGET)


@pytest.fixture(scope="module")
def model() -> Model:
    return load(str(tiny_checkpoint()))


@pytest.fixture(scope="module")
def alone(model: Model) -> Any:
    course = model.course(ASKED)
    with opened(model.unet) as denoiser:
        LocalEngine(denoiser).run(course)
    return course


@pytest.fixture(autouse=True)
def quick_handover() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_workers_in_sync_equal_one_process(model: Model, alone: Any, ranks: int) -> None:
    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(ranks)])
    course = model.course(ASKED)
    planner = Planner(fleet)
    planner.run([course])
    fleet.stop()
    assert course.plans == alone.plans
    assert any(0 < len(plan.tiles) < course.grid.count for plan in course.plans)
    assert (course.latents - alone.latents).abs().max() <= 1e-4
    assert (planner.tally.bytes_sent > 0) is (ranks > 1)


def test_stale_parts_are_near_and_the_same_every_time(model: Model, alone: Any) -> None:
    """What is one step old is another picture than what is new, but a near and a certain one."""
    pictures = []
    for _ in range(2):
        fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)])
        course = model.course(ASKED)
        Planner(fleet, "stale").run([course])
        fleet.stop()
        pictures.append(course.latents)
    assert torch.equal(*pictures)
    apart = (pictures[0] - alone.latents).abs()
    assert apart.max() > 1e-4 and apart.mean() < 0.1 * alone.latents.abs().mean()


def test_workers_repaint_a_mask_as_one_process_does(model: Model) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    mask = np.zeros((32, 48), dtype=bool)
    mask[8:24, 8:32] = True
    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)])
    alone, shared = (model.course(replace(ASKED, regions=3), picture=picture, mask=mask) for _ in range(2))
    Planner(fleet).run([shared])
    fleet.stop()
    with opened(model.unet) as denoiser:
        LocalEngine(denoiser).run(alone)
    assert shared.plans == alone.plans and len(alone.kept.tiles(alone.grid)) < alone.grid.count
    assert (shared.latents - alone.latents).abs().max() <= 1e-4


def test_requests_share_the_workers_and_a_resting_one_sends_nothing(model: Model, alone: Any) -> None:
    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)])
    courses = [model.course(replace(ASKED, seed=seed)) for seed in (3, 4)]
    planner = Planner(fleet)
    planner.run(courses)
    fleet.stop()
    assert (courses[0].latents - alone.latents).abs().max() <= 1e-4
    assert (courses[1].latents - alone.latents).abs().max() > 0.01
    by_step = dict(zip([len(plan.tiles) for plan in alone.plans], planner.tally.bytes_by_step, strict=False))
    assert planner.tally.bytes_sent == sum(planner.tally.bytes_by_step) and by_step


def test_under_backlog_a_request_is_one_worker_s_and_the_last_is_shared_again(model: Model, alone: Any) -> None:
    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)])
    asked = replace(ASKED, steps=8, skip=replace(BUDGET, reset_every=2))
    courses = [model.course(one) for one in (replace(asked, steps=5, seed=4), asked)]
    planner, widths = Planner(fleet), []
    first, second = (planner.submit(course) for course in courses)
    while not second.course.finished:
        planner.turn()
        widths.append((first.course.finished, len(second.owners)))
    fleet.stop()
    with opened(model.unet) as denoiser:
        LocalEngine(denoiser).run(one := model.course(asked))
    assert (second.course.latents - one.latents).abs().max() <= 1e-4
    assert (False, 1) in widths and (True, 2) in widths


def test_under_backlog_a_worker_has_its_next_order_before_it_ends_one(model: Model, alone: Any) -> None:
    """One order ahead and no more, so it waits for nobody; the pictures are those of one process."""
    fleet, outstanding, most = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)]), [0, 0], [0, 0]
    send, poll = fleet.send, fleet.poll

    def counted_send(rank: int, message: Any) -> None:
        if type(message).__name__ in ("Warm", "Step"):
            outstanding[rank] += 1
            most[rank] = max(most[rank], outstanding[rank])
        send(rank, message)

    def counted_poll(seconds: float) -> list[tuple[int, Any]]:
        heard = poll(seconds)
        for rank, reply in heard:
            outstanding[rank] -= type(reply).__name__ == "Done"
        return heard

    planner = Planner(fleet)
    fleet.send, fleet.poll = counted_send, counted_poll  # type: ignore[method-assign]
    courses = [model.course(replace(ASKED, seed=seed)) for seed in (3, 4, 5, 6)]
    planner.run(courses)
    fleet.stop()
    assert most == [2, 2] and outstanding == [0, 0]
    assert (courses[0].latents - alone.latents).abs().max() <= 1e-4


def test_workers_whose_regions_rest_together_equal_one_process(model: Model) -> None:
    """The first step after the warm-up may be a rest, before any worker has its part; a rest sends nothing."""
    asked = replace(ASKED, steps=8, regions=None, skip=SkipSettings(mode="budget", active_fraction=0.5))
    with opened(model.unet) as denoiser:
        LocalEngine(denoiser).run(one := model.course(asked))
    fleet, course = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)]), model.course(asked)
    planner = Planner(fleet)
    planner.run([course])
    fleet.stop()
    assert (course.latents - one.latents).abs().max() <= 1e-4
    assert course.fractions == one.fractions and course.fractions[2] == 0.0
    sent = dict(zip(course.fractions[2:], planner.tally.bytes_by_step[2:], strict=True))
    assert sent[0.0] == 0 < sent[1.0]


def test_what_arrives_after_regions_were_shared_anew_is_dropped() -> None:
    """It was sent before the whole step that begins the new shares, and belongs to tiles that have other owners now."""
    from types import SimpleNamespace

    from suffice.regional.frame import Cache
    from suffice.regional.workers.mailbox import Key
    from suffice.regional.workers.peers import TOKENS, Holding, PeerExchange

    older = [(Key(0, step, 1, 0, TOKENS), torch.ones(1, dtype=torch.uint8)) for step in (4, 6)]
    mail = SimpleNamespace(
        rank=0, peers=[1], wait_finished=lambda *told: None, take_older=lambda request, step: list(older)
    )
    both: tuple[tuple[int, ...], ...] = ((0,), (1,))
    holding = Holding(TileGrid(4, 8, 4), 1, both, Cache(), {"a": 0}, ["a"], {6: both, 7: both})
    exchange, taken = PeerExchange(mail, holding, 0, 7, False), []  # type: ignore[arg-type]
    exchange._apply = lambda key, payload: taken.append(key.step)  # type: ignore[method-assign]
    exchange.catch_up()
    assert taken == [6] and set(holding.ran) == {7}


def test_strips_meet_once_only(model: Model, alone: Any) -> None:
    """As DistriFusion runs: every worker its part of every step, on what the others computed a step before."""
    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)])
    whole = replace(ASKED, skip=SkipSettings(mode="off", warmup_steps=2))
    course, planner = model.course(whole), Planner(fleet, "strips", OneByOne())
    (running,) = planner.run([course])
    fleet.stop()
    with opened(model.unet) as denoiser:
        LocalEngine(denoiser).run(one := model.course(whole))
    apart = (course.latents - one.latents).abs()
    assert not running.in_step and apart.max() > 1e-4 and apart.mean() < 0.1 * one.latents.abs().mean()


def test_what_a_resting_worker_sends_is_nothing(model: Model) -> None:
    """Two ranks, one whole step, then steps in which only tiles of rank 0 run."""
    from suffice.regional.workers import messages as say

    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)])
    planner, course = Planner(fleet), model.course(ASKED)
    text = course.condition.text.numpy()
    latents = course.latents.numpy()
    halves = (tuple(range(12)), tuple(range(12, 24)))
    for rank in (0, 1):
        fleet.send(rank, say.Begin(0, TileGrid(8, 12, 2), say.Told(text), halves))
        fleet.send(rank, say.Step(0, 0, 900, latents, halves, True, True))
        fleet.send(rank, say.Step(0, 1, 800, latents, (halves[0], ()), True, False))
        fleet.send(rank, say.Step(0, 2, 700, latents, ((0,), halves[1]), True, False))
    heard: list[tuple[int, Any]] = []
    while len(heard) < 5:
        heard += fleet.poll(1.0)
        assert all(isinstance(reply, say.Done) for _, reply in heard), heard
    fleet.stop()
    sent = {(rank, reply.step): reply.bytes_by_kind for rank, reply in heard}
    assert set(sent) == {(0, 0), (1, 0), (0, 1), (0, 2), (1, 2)}
    assert sent[0, 2]["tokens"] == sent[0, 1]["tokens"] // 12  # one tile's keys and values instead of twelve
    assert sent[0, 2]["halo"] == 0 < sent[0, 1]["halo"]  # tile 0 has no neighbour at the other worker
    assert planner.epoch == 0


def test_a_slow_worker_gets_less(model: Model) -> None:
    import time

    slow = copy.deepcopy(model.unet)
    slow.conv_in.register_forward_pre_hook(lambda *_: time.sleep(0.4))
    fleet = ThreadFleet([model.networks, Networks(slow)])
    asked = replace(ASKED, skip=SkipSettings(mode="off", warmup_steps=2))
    course, planner = model.course(asked), Planner(fleet)
    (running,) = planner.run([course])
    fleet.stop()
    assert len(running.owned[1]) < len(running.owned[0])


def test_more_workers_than_regions_are_refused(model: Model) -> None:
    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(2)])
    with pytest.raises(UsageError, match="2 workers for 1 regions"):
        Planner(fleet).run([model.course(replace(ASKED, regions=1))])
    fleet.stop()


def test_an_error_in_a_worker_is_told(model: Model) -> None:
    broken = copy.deepcopy(model.unet)
    broken.conv_out.register_forward_pre_hook(lambda *_: 1 / 0)
    fleet = ThreadFleet([Networks(broken)])
    with pytest.raises(WorkerError, match="worker 0: ZeroDivisionError"):
        Planner(fleet).run([model.course(ASKED)])
    fleet.stop()


def test_a_killed_worker_is_replaced_and_the_picture_is_the_same(model: Model, alone: Any) -> None:
    """Real processes; one is killed while the other waits for its part of a step, and once more, beyond the limit."""
    fleet = ProcessFleet(2, model.recipe, also=copy.deepcopy(model.networks))
    try:
        assert fleet.ranks == (0, 1, 2)  # the planner works too
        planner, course, killed = Planner(fleet, lost_max=1), model.course(ASKED), []

        def kill_once(number: int, plan: Any) -> None:
            if plan.step == 3 and not killed:
                killed.append(fleet.pids[1])
                os.kill(fleet.pids[1], signal.SIGKILL)

        planner.run([course], kill_once)
        assert killed and fleet.pids[1] != killed[0] and planner.tally.replaced == 1
        assert course.plans == alone.plans
        assert (course.latents - alone.latents).abs().max() <= 1e-4
        with pytest.raises(WorkerError, match="more than 1"):
            planner.run([model.course(ASKED)], lambda number, plan: os.kill(fleet.pids[0], signal.SIGKILL))
    finally:
        fleet.stop()
