"""What stands beside the UNet: ControlNets, motion modules, batches; with any number of workers, within the memory."""

from __future__ import annotations

import copy
import json
import sys
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
from suffice.regional.denoiser import opened  # noqa: E402
from suffice.regional.local import LocalEngine  # noqa: E402
from suffice.regional.memory import need_of, room_for  # noqa: E402
from suffice.regional.model import Model, load  # noqa: E402
from suffice.regional.settings import RequestSettings, SkipSettings  # noqa: E402
from suffice.regional.workers.fleet import ProcessFleet, ThreadFleet  # noqa: E402
from suffice.regional.workers.planner import Planner  # noqa: E402

BUDGET = SkipSettings(mode="budget", rest="apart", active_fraction=0.87, warmup_steps=2, reset_every=0)
ASKED = RequestSettings("a red bus", steps=6, height=32, width=48, seed=3, regions=6, skip=BUDGET)


@pytest.fixture(autouse=True)
def quick_handover(monkeypatch: pytest.MonkeyPatch) -> Any:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> str:
    import PIL.Image

    path = tmp_path_factory.mktemp("hint") / "square.png"
    pixels = np.zeros((32, 48, 3), dtype=np.uint8)
    pixels[8:24, 8:24] = 255
    PIL.Image.fromarray(pixels).save(path)
    return f"edges:{path}=0.8"


def alone(model: Model, asked: RequestSettings, **more: Any) -> Any:
    course = model.course(asked, **more)
    with opened(*model.networks) as denoiser:
        LocalEngine(denoiser).run(course)
    return course


def shared(model: Model, asked: RequestSettings, ranks: int, **more: Any) -> Any:
    fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(ranks)])
    course = model.course(asked, **more)
    try:
        Planner(fleet).run([course])
    finally:
        fleet.stop()
    return course


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_workers_with_a_controlnet_equal_one_process(edges: str, ranks: int) -> None:
    model = load(str(tiny_checkpoint()), control=edges)
    one, many = alone(model, ASKED, control=edges), shared(model, ASKED, ranks, control=edges)
    assert many.plans == one.plans and any(0 < len(plan.tiles) < one.grid.count for plan in one.plans)
    assert (many.latents - one.latents).abs().max() <= 1e-4
    assert (alone(model, ASKED).latents - one.latents).abs().max() > 0.01  # the hint matters


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("asked", [replace(ASKED, frames=4), replace(ASKED, pictures=3)], ids=["clip", "batch"])
def test_workers_make_clips_and_batches_as_one_process_does(asked: RequestSettings, ranks: int) -> None:
    model = load(str(tiny_checkpoint()), moves=asked.frames > 1)
    one, many = alone(model, asked), shared(model, asked, ranks)
    assert many.plans == one.plans and any(0 < len(plan.tiles) < one.grid.count for plan in one.plans)
    assert one.latents.shape == (asked.frames * asked.pictures, 4, 8, 12)
    assert (many.latents - one.latents).abs().max() <= 1e-4


def test_a_clip_without_rest_is_the_clip_of_animate() -> None:
    from suffice.diffusion.animator import Animator
    from suffice.diffusion.settings import settings_from

    whole = RequestSettings("a red bus", steps=4, height=32, width=32, seed=3, frames=5, skip=SkipSettings(mode="off"))
    where = str(tiny_checkpoint())
    ours = alone(load(where, moves=True), whole)
    told = {"model": where, "timeline": "a red bus", "frames": 5, "steps": 4, "height": 32, "width": 32, "seed": 3}
    clip = Animator(where).animate(settings_from({**told, "guidance": 5.0, "scheduler": "ddim", "noise": "random"}))
    assert (ours.latents - clip.latents[0].transpose(0, 1)).abs().max() <= 1e-4


def test_real_processes_load_what_stands_beside(edges: str) -> None:
    model = load(str(tiny_checkpoint()), control=edges)
    fleet = ProcessFleet(2, model.recipe)
    course = model.course(ASKED, control=edges)
    try:
        Planner(fleet).run([course])
    finally:
        fleet.stop()
    assert (course.latents - alone(model, ASKED, control=edges).latents).abs().max() <= 1e-4


def test_a_clip_longer_than_the_module_knows_is_refused() -> None:
    with pytest.raises(UsageError, match=r"a clip of 99 frames: .* knows 32 frames at most"):
        load(str(tiny_checkpoint()), moves=True).course(replace(ASKED, frames=99))
    with pytest.raises(UsageError, match="was loaded without motion"):
        load(str(tiny_checkpoint())).course(replace(ASKED, frames=2))


@pytest.mark.parametrize(("frames", "pictures"), [(1, 1), (1, 3), (4, 1)])
def test_memory_is_known_before(frames: int, pictures: int) -> None:
    """What is kept to the byte; the peak by the shapes alone, which the real pass reaches."""
    from suffice.diffusion.memory.estimate import count_alive
    from suffice.regional.frame import Cache

    model = load(str(tiny_checkpoint()), moves=frames > 1)
    course, cache = model.course(replace(ASKED, frames=frames, pictures=pictures)), Cache()
    need = need_of(model.networks, course)
    with opened(*model.networks) as denoiser:
        latents = course.network_input()
        with count_alive() as alive:
            denoiser.dense(latents, course.scheduler.timesteps[0], course.condition, course.grid, cache)
    assert need.kept == cache.bytes
    assert need.peak == pytest.approx(alive.peak, rel=0.05)


def test_what_does_not_fit_is_refused_with_the_numbers() -> None:
    model = load(str(tiny_checkpoint()))
    course = model.course(ASKED)
    need = need_of(model.networks, course)
    two = room_for(model.networks, 2, round(2.5 * need.peak))
    assert two.fits(course, [])
    assert not two.fits(course, [course] * 9)
    with pytest.raises(UsageError, match=r"takes about .* GiB in 2 processes, .* GiB are free: ask for fewer"):
        room_for(model.networks, 2, need.peak).check(course)


def test_the_command_makes_a_clip(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from suffice.cli.app import app
    from suffice.diffusion.clip.source import open_source

    out = tmp_path / "bus.gif"
    words = ["a bus", "--model", str(tiny_checkpoint()), "--frames", "4", "--steps", "8", "--skip", "budget=0.9"]
    run = CliRunner().invoke(app, ["regional", "run", *words, "--height", "32", "--width", "32", "--out", str(out),
                                   "--explain", "--json"])  # fmt: skip
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert open_source(str(out)).count == 4
    assert told["flops_executed"] / told["flops_dense"] == pytest.approx(np.mean(told["active_fraction"]), rel=0.05)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("ranks", [1, 2])
def test_on_a_gpu_workers_equal_one_process(ranks: int) -> None:
    """Two workers share the device; what they send each other goes through host memory and gloo."""
    model = load(str(tiny_checkpoint()), "cuda")
    for network in (model.unet, *model.parts.text_encoders):
        network.float()
    one, many = alone(model, ASKED), shared(model, ASKED, ranks)
    assert one.latents.is_cuda and (many.latents - one.latents).abs().max() <= 1e-3
