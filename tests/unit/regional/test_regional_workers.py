"""Workers that wait for each other make the picture of one process; a lost worker changes nothing."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_diffusion import tiny_checkpoint  # noqa: E402

from suffice.regional.denoiser import opened  # noqa: E402
from suffice.regional.local import LocalEngine  # noqa: E402
from suffice.regional.model import Model, load  # noqa: E402
from suffice.regional.settings import RequestSettings, SkipSettings  # noqa: E402
from suffice.regional.workers.fleet import ThreadFleet  # noqa: E402
from suffice.regional.workers.planner import Planner  # noqa: E402

BUDGET = SkipSettings(mode="budget", active_fraction=0.75, warmup_steps=2, reset_every=3)
ASKED = RequestSettings("a red bus", steps=7, height=32, width=48, seed=3, regions=6, skip=BUDGET)


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
    fleet = ThreadFleet([copy.deepcopy(model.unet) for _ in range(ranks)])
    course = model.course(ASKED)
    planner = Planner(fleet)
    planner.run([course])
    fleet.stop()
    assert course.plans == alone.plans
    assert any(0 < len(plan.tiles) < course.grid.count for plan in course.plans)
    assert (course.latents - alone.latents).abs().max() <= 1e-4
    assert (planner.tally.bytes_sent > 0) is (ranks > 1)
