"""From which active fraction on a dense pass is the quicker one: measured on the device, once a model and grid."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suffice.regional.frame import Cache
from suffice.regional.schedule.cost import StepCost, fit

if TYPE_CHECKING:
    from suffice.regional.course import Course
    from suffice.regional.denoiser import Denoiser

PARTS = (0.25, 0.5, 1.0)


def measured_cost(denoiser: Denoiser, course: Course, repeats: int = 2) -> StepCost:
    """Seconds of a pass on this device as ``a + b·fraction``, and of a dense pass; nothing of `course` changes."""
    import torch

    latents, grid, cache = course.network_input(), course.grid, Cache()
    step = course.scheduler.timesteps[course.step]
    dense_s = fastest_s(lambda: denoiser.dense(latents, step, course.condition, grid, cache), repeats)
    points = []
    for part in PARTS:
        active = torch.arange(max(1, round(part * grid.count)), device=latents.device)
        work = lambda a=active: denoiser.sparse(latents, step, course.condition, grid, cache, a)  # noqa: E731
        points.append((len(active) / grid.count, fastest_s(work, repeats)))
    return fit(points, dense_s)


def fastest_s(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of the fastest of several runs after one that does not count."""
    import torch

    taken = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return min(taken[1:])
