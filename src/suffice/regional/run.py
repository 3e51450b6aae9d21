"""One request from prompt to file: what ``suffice regional run`` does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError, nearest
from suffice.regional.settings import RequestSettings

if TYPE_CHECKING:
    from suffice.media.image import Image
    from suffice.regional.course import Course, StepPlan
    from suffice.regional.denoiser import Denoiser
    from suffice.regional.model import Model
    from suffice.regional.workers.fleet import Fleet

CLIP_FPS = 8.0
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass
class Report:
    """What a request took. flops: of the UNet alone. bytes_sent: between workers, all steps together."""

    file: str = ""
    flops_executed: int = 0
    flops_dense: int = 0
    active_fraction: list[float] = field(default_factory=list)
    bytes_sent: int = 0
    seconds: float = 0.0
    seconds_of: dict[str, float] = field(default_factory=dict)
    workers: int = 1
    regions: int = 0
    tiles: int = 0
    whole_above: float = 1.0
    explain: str | None = None
    replaced_workers: int = 0

    def as_json(self) -> dict[str, Any]:
        rounded = {name: round(taken, 3) for name, taken in self.seconds_of.items()}
        shown = {**self.__dict__, "seconds": round(self.seconds, 3), "seconds_of": rounded}
        shown["active_fraction"] = [round(one, 4) for one in self.active_fraction]
        return shown

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds_of[name] = self.seconds_of.get(name, 0.0) + time.perf_counter() - started


def run_to_file(
    settings: RequestSettings,
    out: Path,
    *,
    model: str = "pocket",
    workers: int = 1,
    exchange: str = "sync",
    launch: str = "processes",
    whole_above: float | None = None,
    control: str | None = None,
    explain: bool = False,
    picture: Image | None = None,
    mask: Any = None,
    stepped: Callable[[StepPlan], None] = lambda plan: None,
) -> Report:
    """Denoise one request and write its picture to `out` (with several pictures, numbered files).

    Args:
        settings: what is asked.
        out: a picture file, or one of a clip; its folder is made.
        model: ``pocket``, a folder or a hub id.
        workers: processes that share the regions; 1 is this process alone.
        exchange: ``sync`` (every layer waits for its neighbours; the same picture for any number of workers) or
            ``stale`` (what others computed in the step before).
        launch: what starts the workers: ``processes`` or ``ray``.
        whole_above: active fraction from which a step runs whole; None measures it when `settings` skip by ``auto``.
        control: ``KIND:PICTURE=STRENGTH``, a ControlNet of the checkpoint.
        explain: write ``NAME.explain.png`` beside `out`.
        picture: with `mask` (booleans ``[h, w]``), repaint only there.
        stepped: hears of every step.

    Raises:
        UsageError: settings that cannot be; ModelError: the checkpoint.
    """
    from suffice.regional.denoiser import opened
    from suffice.regional.memory import room_for
    from suffice.regional.model import load

    settings.check()
    if exchange not in ("sync", "stale"):
        raise UsageError(f"--exchange {exchange!r} is none of sync, stale{nearest(exchange, ['sync', 'stale'])}")
    _check_file(out, settings)
    report, started = Report(workers=workers), time.perf_counter()
    with report.stage("load"):
        loaded = load(model, control=control, moves=settings.frames > 1)
    with report.stage("encode"):
        course = loaded.course(settings, picture=picture, mask=mask, control=control)
        room_for(loaded.networks, workers).check(course)
    with opened(*loaded.networks, skips=settings.skip.mode != "off" or workers > 1) as denoiser:
        course.whole_above = _whole_above(report, denoiser, course, whole_above, workers)
        if workers == 1:
            _alone(report, denoiser, course, stepped)
    if workers > 1:
        _shared(report, course, loaded, exchange, launch, stepped)
    with report.stage("decode"):
        images = loaded.decode(course.latents)
    _write(report, course, images, out, explain)
    report.seconds = time.perf_counter() - started
    return report


def _check_file(out: Path, settings: RequestSettings) -> None:
    from suffice.diffusion.clip.write import check_format

    if settings.frames > 1:
        check_format(out)
    elif out.suffix.lower() not in PICTURES:
        raise UsageError(f"{out.name}: write to a file that ends in {', '.join(PICTURES)}")


def _alone(report: Report, denoiser: Denoiser, course: Course, stepped: Callable[[StepPlan], None]) -> None:
    from suffice.regional.local import LocalEngine

    engine = LocalEngine(denoiser)
    with report.stage("steps"):
        engine.run(course, stepped)
    report.flops_executed = engine.meter.executed
    report.flops_dense = engine.meter.dense(course.grid, course.condition.batch) * len(course.plans)


def _shared(
    report: Report,
    course: Course,
    model: Model,
    exchange: str,
    launch: str,
    stepped: Callable[[StepPlan], None],
) -> None:
    from suffice.regional.workers.planner import Planner

    with report.stage("start workers"):
        fleet = started_fleet(launch, report.workers, model)
    try:
        with report.stage("start workers"):
            planner = Planner(fleet, exchange)
        with report.stage("steps"):
            planner.run([course], lambda number, plan: stepped(plan))
    finally:
        fleet.stop()
    tally = planner.tally
    report.flops_executed, report.flops_dense = tally.flops, tally.flops_dense * len(course.plans)
    report.bytes_sent, report.replaced_workers = tally.bytes_sent, tally.replaced


def started_fleet(launch: str, workers: int, model: Model) -> Fleet:
    """Workers that load `model`; where there is a core (or a GPU) left for them, the planner's own networks work too.

    Raises :class:`UsageError` for an unknown `launch`.
    """
    if launch == "processes":
        from suffice.regional.workers.fleet import ProcessFleet

        return ProcessFleet(workers, model.recipe, also=model.networks if _devices() > workers else None)
    if launch == "ray":
        from suffice.regional.workers.ray_fleet import RayFleet

        return RayFleet(workers, model.recipe)
    raise UsageError(f"--launch {launch!r} is none of processes, ray{nearest(launch, ['processes', 'ray'])}")


def _devices() -> int:
    import torch

    return torch.cuda.device_count() or os.cpu_count() or 1


def _whole_above(report: Report, denoiser: Any, course: Course, asked: float | None, workers: int) -> float:
    """Only `auto` in one process falls back by itself: a budget is a promise about the work."""
    from suffice.regional.break_even import measured_cost

    skip = course.settings.skip
    if asked is not None or skip.mode != "auto" or skip.rest == "together" or workers > 1:
        return 1.0 if asked is None else asked
    with report.stage("measure"):
        return measured_cost(denoiser, course).break_even


def _write(report: Report, course: Course, images: list[Image], out: Path, explain: bool) -> None:
    import PIL.Image

    from suffice.diffusion.clip.write import write_clip

    out.parent.mkdir(parents=True, exist_ok=True)
    if course.settings.frames > 1:
        write_clip(out, images, CLIP_FPS, {"frames": len(images), "prompt": course.settings.prompt})
    else:
        for number, image in enumerate(images):
            path = out if len(images) == 1 else out.with_stem(f"{out.stem}-{number}")
            PIL.Image.fromarray(image).save(path)
    if explain:
        from suffice.regional.explain import explain_picture

        report.explain = str(out.with_suffix(".explain.png"))
        PIL.Image.fromarray(explain_picture(course, images[0])).save(report.explain)
    report.file, report.active_fraction = str(out), course.fractions
    report.regions, report.tiles, report.whole_above = len(course.regions), course.grid.count, course.whole_above
