"""The course of one request: what runs in each step, and what becomes of the noise that comes back.

It knows nothing of how the steps are run: the engine in this process and the planner with its workers hold the same
object. The solver always sees a whole prediction (what did not run is filled in), so solvers with a memory keep a
history of every region by themselves.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from suffice.regional.fill.first_order import first_order
from suffice.regional.fill.history import History
from suffice.regional.fill.zero_order import zero_order
from suffice.regional.prediction import from_noise, level, to_noise
from suffice.regional.regions import cut_regions
from suffice.regional.skip.auto import auto
from suffice.regional.skip.budget import budget
from suffice.regional.skip.random import random
from suffice.regional.skip.standing import Standing
from suffice.regional.subject import attention_share, subject_tiles

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.attention_maps import AttentionRecorder
    from suffice.regional.denoiser import Condition
    from suffice.regional.inpaint import KeptOutside
    from suffice.regional.regions import Region
    from suffice.regional.settings import RequestSettings
    from suffice.regional.tiles import TileGrid

RULES = {"auto": auto, "budget": budget, "random": random}
FILL_INS = {"zero_order": zero_order, "first_order": first_order}
REGIONS = 16


@dataclass(frozen=True)
class StepPlan:
    """What one step runs. kind: ``warmup`` (whole, attention recorded), ``whole`` (all tiles, caches renewed) or
    ``some``. regions: those that run. tiles: theirs, sorted."""

    step: int
    time: float
    kind: str
    regions: tuple[int, ...]
    tiles: tuple[int, ...]


class Course:
    """One request from noise to latents. Shapes: latents ``[b, c, h, w]``; noise of tiles ``[b, tiles, c, t, t]``.

    regions: what workers share. resting: what rests or runs as one, with a standing each: the regions, or together all.
    """

    def __init__(
        self,
        settings: RequestSettings,
        condition: Condition,
        latents: Tensor,
        grid: TileGrid,
        scheduler: Any,
        generator: Any,
        words: list[int],
        kept: KeptOutside | None = None,
        whole_above: float = 1.0,
    ) -> None:
        apart = kept is not None or settings.regions is not None
        settings = replace(settings, skip=settings.skip.settled(apart, settings.steps))
        self.settings, self.condition, self.grid, self.kept = settings, condition, grid, kept
        self.scheduler, self.generator, self.words, self.whole_above = scheduler, generator, words, whole_above
        self.latents = latents * scheduler.init_noise_sigma
        self.step = 0
        self.regions: tuple[Region, ...] = ()
        self.resting: tuple[Region, ...] = ()
        self.standings: list[Standing] = []
        self.history: History | None = None
        self.word_maps: Tensor | None = None
        self.subject: Tensor | None = None
        self.costs = [1.0] * grid.count
        self.fractions: list[float] = []
        self.plans: list[StepPlan] = []
        self._whole = settings.skip.dense_steps(settings.steps)

    @property
    def finished(self) -> bool:
        return self.step == len(self.scheduler.timesteps)

    @property
    def warming(self) -> bool:
        """Whether the next step is before there are regions."""
        return self.step < self.settings.skip.warmup_steps

    @property
    def recording(self) -> bool:
        """Whether the next step's attention tells what the words name: the last two of the warm-up."""
        return self.warming and self.step >= self.settings.skip.warmup_steps - 2

    def plan(self) -> StepPlan:
        """The next step; asking twice answers the same."""
        time = float(self.scheduler.timesteps[self.step])
        everything = tuple(range(len(self.regions)))
        if self.warming:
            return StepPlan(self.step, time, "warmup", (), tuple(range(self.grid.count)))
        if self.step in self._whole or self.settings.skip.mode == "off":
            return StepPlan(self.step, time, "whole", everything, tuple(range(self.grid.count)))
        chosen = tuple(sorted(self._chosen()))
        tiles = tuple(sorted(tile for region in chosen for tile in self.regions[region]))
        if len(tiles) >= min(1.0, self.whole_above) * self.grid.count:
            return StepPlan(self.step, time, "whole", everything, tuple(range(self.grid.count)))
        return StepPlan(self.step, time, "some", chosen, tiles)

    def _chosen(self) -> frozenset[int]:
        """The regions that run."""
        skip = self.settings.skip
        if skip.rest == "together" and skip.mode == "budget":
            return frozenset()  # all of it went into whole steps
        chosen = RULES[skip.mode](self.standings, skip, self._fraction_left(), self.step)
        return chosen if skip.rest == "apart" else frozenset(range(len(self.regions))) if chosen else frozenset()

    def _fraction_left(self) -> float:
        """The part of the tiles a step may run so that the budget of the whole request is met at its end."""
        steps = self.settings.steps
        whole_left = sum(step >= self.step for step in self._whole)
        some_left = steps - self.step - whole_left
        left = self.settings.skip.active_fraction * steps - sum(self.fractions) - whole_left
        return min(1.0, max(0.0, left / max(1, some_left)))

    def network_input(self) -> Tensor:
        """Latents as the network wants them, once a side of the guidance: ``[sides·b, c, h, w]``."""
        scaled = self.scheduler.scale_model_input(self.latents, self.scheduler.timesteps[self.step])
        return scaled.repeat(self.condition.batch // len(scaled), 1, 1, 1)

    def absorb(self, plan: StepPlan, noise: Tensor, recorder: AttentionRecorder | None = None) -> None:
        """Take in the network's answer ``[sides·b, tiles of the plan, c, t, t]`` and do the solver's step."""
        import torch

        output = self._guided(noise)
        sample, at = self._sample(), level(self.scheduler, self.step)
        tiles = torch.tensor(plan.tiles, dtype=torch.long, device=output.device)
        self._remember(plan, to_noise(self._kind, output, sample[:, tiles], at))
        self._solve(self._whole_output(plan, tiles, output, sample, at))
        self.plans.append(plan)
        self.fractions.append(len(plan.tiles) / self.grid.count)
        self.step += 1
        if self.step == self.settings.skip.warmup_steps:
            self._found_regions(recorder)

    def _guided(self, noise: Tensor) -> Tensor:
        if len(noise) == len(self.latents):
            return noise
        without, with_prompt = noise.chunk(2)
        return without + self.settings.guidance * (with_prompt - without)

    def _remember(self, plan: StepPlan, noise: Tensor) -> None:
        import torch

        if self.history is None:
            self.history, self.change = History.of(noise, plan.time), torch.ones(self.grid.count, device=noise.device)
            return
        tiles = torch.tensor(plan.tiles, dtype=torch.long, device=noise.device)
        before = (self.history.last if self.settings.skip.change_from == "last" else self._held(plan))[:, tiles]
        self.change[tiles] = _relative(noise, before).float()
        self.history.update(tiles, noise, plan.time)
        ran = set(plan.tiles)
        for part, standing in zip(self.resting, self.standings, strict=True):
            if ran.issuperset(part):
                standing.change = float(self.change[list(part)].mean()) / (standing.rested_steps + 1)
                standing.rested_steps = 0
            else:
                standing.rested_steps += 1

    def _whole_output(
        self, plan: StepPlan, tiles: Tensor, output: Tensor, sample: Tensor, at: tuple[float, float]
    ) -> Tensor:
        """The network's answer for the whole latent, with a guess for what rested."""
        if len(plan.tiles) == self.grid.count:
            return self.grid.joined(output)
        filled = from_noise(self._kind, self._held(plan), sample, at).clone()
        filled[:, tiles] = output
        return self.grid.joined(filled)

    def _held(self, plan: StepPlan) -> Tensor:
        """The noise that stands for tiles that do not run."""
        assert self.history is not None
        return FILL_INS[self.settings.skip.fill](self.history, plan.time)

    def _sample(self) -> Tensor:
        """One side of what the network saw, as tiles."""
        return self.grid.cut(self.network_input()[: len(self.latents)])

    @property
    def _kind(self) -> str:
        return str(self.scheduler.config.prediction_type)

    def _solve(self, noise: Tensor) -> None:
        time = self.scheduler.timesteps[self.step]
        extra = {"generator": self.generator} if self.settings.solver in ("lcm", "ddim", "euler") else {}
        self.latents = self.scheduler.step(noise, time, self.latents, return_dict=False, **extra)[0]
        if self.kept is not None:
            following = self.scheduler.timesteps[self.step + 1 :][:1]
            self.latents = self.kept.put_back(self.latents, self.scheduler, following)

    def _found_regions(self, recorder: AttentionRecorder | None) -> None:
        import torch

        tiles = self.grid.count
        share, self.subject = torch.ones(tiles), torch.zeros(tiles, dtype=torch.bool)
        if recorder is not None and recorder.sums and self.words:
            self.word_maps = recorder.maps(self.grid, self.words).cpu()
            share, self.subject = attention_share(self.word_maps, self.grid), subject_tiles(self.word_maps, self.grid)
        allowed = list(range(tiles)) if self.kept is None else self.kept.tiles(self.grid)
        self.costs = share.clamp(0.25, 4).tolist()
        count = min(REGIONS, len(allowed)) if self.settings.regions is None else self.settings.regions
        self.regions = cut_regions(self.grid, self.costs, self.subject.tolist(), count, allowed)
        self.resting = self.regions if self.settings.skip.rest == "apart" else (tuple(allowed),)
        self.standings = [
            Standing(float(share[list(one)].mean()), len(one), float(self.change[list(one)].mean()))
            for one in self.resting
        ]

    def snapshot(self) -> Course:
        """A copy to go back to when workers are lost: before a whole step nothing kept by workers is needed."""
        kept = copy.copy(self)
        kept.scheduler, kept.standings = copy.deepcopy(self.scheduler), copy.deepcopy(self.standings)
        kept.history, kept.latents = copy.deepcopy(self.history), self.latents.clone()
        kept.change, kept.fractions, kept.plans = self.change.clone(), list(self.fractions), list(self.plans)
        kept.generator = copy_generator(self.generator)
        return kept

    def restore(self, kept: Course) -> None:
        """Go back to a snapshot, which stays as it is."""
        self.__dict__.update(kept.snapshot().__dict__)


def _relative(noise: Tensor, before: Tensor) -> Tensor:
    """``|new - before| / |before|`` of each tile of ``[b, tiles, c, t, t]``."""
    return (noise - before).abs().mean((0, 2, 3, 4)) / before.abs().mean((0, 2, 3, 4)).clamp_min(1e-12)


def copy_generator(generator: Any) -> Any:
    """A generator in the same state."""
    import torch

    other = torch.Generator(generator.device)
    other.set_state(generator.get_state())
    return other
