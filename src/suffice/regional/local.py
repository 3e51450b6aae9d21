"""The engine in this process: every region, no workers, the same course."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from suffice.regional.attention_maps import AttentionRecorder
from suffice.regional.flops import FlopMeter, Pass
from suffice.regional.frame import Cache

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.course import Course, StepPlan
    from suffice.regional.denoiser import Denoiser


@dataclass
class LocalEngine:
    """Runs courses with one denoiser."""

    denoiser: Denoiser
    meter: FlopMeter = field(default_factory=FlopMeter)

    def run(self, course: Course, stepped: Callable[[StepPlan], None] = lambda plan: None) -> Tensor:
        """From noise to latents; `stepped` hears of every step done."""
        cache, recorder = Cache(), AttentionRecorder(len(course.latents))
        while not course.finished:
            plan = course.plan()
            recording = recorder if course.recording else None
            noise = self._pass(course, plan, cache, recording)
            course.absorb(plan, noise, recorder)
            stepped(plan)
        return course.latents

    def _pass(self, course: Course, plan: StepPlan, cache: Cache, recorder: AttentionRecorder | None) -> Tensor:
        grid, time, told = course.grid, course.scheduler.timesteps[plan.step], course.condition
        latents = course.network_input()
        if plan.kind != "some":
            whole = self.meter.run(
                Pass(grid, told.batch, grid.count, recorder is not None),
                lambda: self.denoiser.dense(latents, time, told, grid, cache, recorder),
            )
            return grid.cut(whole)
        return self._some(latents, plan, cache, course)

    def _some(self, latents: Tensor, plan: StepPlan, cache: Cache, course: Course) -> Tensor:
        import torch

        grid, time, told = course.grid, course.scheduler.timesteps[plan.step], course.condition
        active = torch.tensor(plan.tiles, dtype=torch.long, device=latents.device)
        if not len(active):
            return grid.cut(latents)[:, active]
        work = lambda: self.denoiser.sparse(latents, time, told, grid, cache, active)  # noqa: E731
        return self.meter.run(Pass(grid, told.batch, len(active)), work)
