"""The workers as Ray actors: the same picture, and a killed actor is replaced."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'suffice[ray]'")
sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from tiny_diffusion import tiny_checkpoint  # noqa: E402

from suffice.regional.denoiser import opened  # noqa: E402
from suffice.regional.local import LocalEngine  # noqa: E402
from suffice.regional.model import load  # noqa: E402
from suffice.regional.settings import RequestSettings, SkipSettings  # noqa: E402
from suffice.regional.workers.planner import Planner  # noqa: E402
from suffice.regional.workers.ray_fleet import RayFleet  # noqa: E402

BUDGET = SkipSettings(mode="budget", rest="apart", active_fraction=0.87, warmup_steps=2, reset_every=0)
ASKED = RequestSettings("a red bus", steps=6, height=32, width=48, seed=3, regions=6, skip=BUDGET)


@pytest.mark.server
def test_actors_equal_one_process_and_are_replaced() -> None:
    model = load(str(tiny_checkpoint()))
    alone = model.course(ASKED)
    with opened(model.unet) as denoiser:
        LocalEngine(denoiser).run(alone)
    fleet = RayFleet(2, model.recipe)
    try:
        planner, course, killed = Planner(fleet), model.course(replace(ASKED)), []

        def kill_once(number: int, plan: object) -> None:
            if course.step == 4 and not killed:
                killed.append(1)
                ray.kill(fleet.actor(1), no_restart=True)

        planner.run([course], kill_once)
    finally:
        fleet.stop()
    assert killed and planner.tally.replaced == 1
    assert (course.latents - alone.latents).abs().max() <= 1e-4
