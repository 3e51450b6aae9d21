"""What a request may ask for, checked at the border."""

from __future__ import annotations

from dataclasses import dataclass, replace

from suffice.errors import UsageError, nearest
from suffice.regional.skip.spread import spread

SOLVERS = ("ddim", "euler", "dpm++", "lcm")
RESTS = ("auto", "together", "apart")
FILLS = ("zero_order", "first_order")
CHANGES = ("last", "fill")
AUTO_LEAST = 0.5  # of the steps run whole with auto, together; a third step at rest in a row cost 7 dB on 16 prompts


@dataclass(frozen=True)
class SkipSettings:
    """When a region may rest. All but `mode` have defaults that were chosen on the pocket weights.

    mode: ``off`` (everything runs), ``auto`` (a region rests while its score is below `threshold`) or ``budget``
    (`active_fraction` of all region-steps run, so the work is known beforehand).
    rest: regions rest ``together``, the whole picture or nothing of it; or ``apart``, each by its own score. ``auto``:
    apart where a mask or a number of regions is given.
    attention_power: how much a region's share of the words' attention weighs against the change of its noise.
    rest_steps_max: a region rests at most so many steps in a row. starvation: how fast resting raises the score.
    change_from: a region's noise has changed from what it predicted ``last``, or from what ``fill`` made of that.
    whole_share: the part of a budget that goes into whole steps where regions rest apart, the rest is for regions.
    warmup_steps, tail_steps: first and last steps in which everything runs. reset_every: so does each such step.
    """

    mode: str = "auto"
    rest: str = "auto"
    active_fraction: float = 1.0
    threshold: float = 0.12
    attention_power: float = 0.5
    change_power: float = 1.0
    change_from: str = "last"
    whole_share: float = 0.9
    rest_steps_max: int = 4
    starvation: float = 0.35
    warmup_steps: int = 2
    tail_steps: int = 1
    reset_every: int = 3
    fill: str = "first_order"
    seed: int = 0

    def dense_steps(self, steps: int) -> frozenset[int]:
        """Steps in which every region runs: warm-up, the step that hands over to regions, resets, tail. Together they
        are spread over the run: a budget is nothing else, auto adds those above its threshold."""
        if self.rest == "together":
            paid = round((self.active_fraction if self.mode == "budget" else AUTO_LEAST) * steps)
            return spread(max(paid, self.warmup_steps + self.tail_steps), self.warmup_steps, steps)
        start = min(self.warmup_steps + 1, steps)
        resets = range(start - 1 + self.reset_every, steps, self.reset_every) if self.reset_every else ()
        return frozenset({*range(start), *resets, *range(max(0, steps - self.tail_steps), steps)})

    def settled(self, apart: bool, steps: int) -> SkipSettings:
        """With `rest` decided, and whole steps so far apart that their share of a budget pays for them."""
        apart = self.mode == "random" or self.rest == "apart" or (self.rest == "auto" and apart)
        settled = replace(self, rest="apart" if apart else "together")
        settled.check(steps)
        return settled._fitted(steps)

    def _fitted(self, steps: int) -> SkipSettings:
        if self.rest == "together" or self.mode not in ("budget", "random") or not self.reset_every:
            return self
        apart = (replace(self, reset_every=every) for every in range(self.reset_every, steps))
        enough = self.whole_share * self.active_fraction * steps
        return next((one for one in apart if len(one.dense_steps(steps)) <= enough), replace(self, reset_every=0))

    def check(self, steps: int) -> None:
        """Raises :class:`UsageError` for what cannot be."""
        if self.mode not in ("off", "auto", "budget", "random"):
            raise UsageError(
                f"--skip {self.mode!r} is none of off, auto, budget=F{nearest(self.mode, ['off', 'auto'])}"
            )
        if self.rest not in RESTS:
            raise UsageError(f"rest {self.rest!r} is none of {', '.join(RESTS)}{nearest(self.rest, RESTS)}")
        if self.fill not in FILLS:
            raise UsageError(f"fill {self.fill!r} is none of {', '.join(FILLS)}{nearest(self.fill, FILLS)}")
        if self.change_from not in CHANGES:
            raise UsageError(
                f"change_from {self.change_from!r} is none of {', '.join(CHANGES)}{nearest(self.change_from, CHANGES)}"
            )
        if not 1 <= self.warmup_steps < steps:
            raise UsageError(f"{self.warmup_steps} warm-up steps do not fit in {steps} steps")
        if self.mode in ("budget", "random"):
            self._check_budget(steps)

    def _check_budget(self, steps: int) -> None:
        apart = self.rest == "apart" or self.mode == "random"
        bare = replace(self, mode="budget", active_fraction=0.0, rest="apart" if apart else "together", reset_every=0)
        least = len(bare.dense_steps(steps))
        if not least / steps <= self.active_fraction <= 1:
            raise UsageError(
                f"budget={self.active_fraction:g} is not between {least / steps:.3g} and 1: {least} of {steps} steps "
                f"always run whole (warm-up,{' the step after it,' if apart else ''} tail)"
            )


def parse_skip(text: str) -> SkipSettings:
    """``off``, ``auto`` or ``budget=F`` of the command line."""
    mode, equals, value = text.partition("=")
    if mode == "budget" and equals:
        try:
            return SkipSettings(mode="budget", active_fraction=float(value))
        except ValueError:
            raise UsageError(f"--skip budget={value}: {value!r} is not a number") from None
    if equals or mode not in ("off", "auto"):
        raise UsageError(f"--skip {text!r} is none of off, auto, budget=F{nearest(mode, ['off', 'auto', 'budget'])}")
    return SkipSettings(mode=mode)


@dataclass(frozen=True)
class RequestSettings:
    """One picture, a batch of one prompt, or a clip of `frames`: what is asked, apart from what runs it."""

    prompt: str
    negative: str = ""
    steps: int = 20
    guidance: float = 5.0
    seed: int = 0
    pictures: int = 1
    frames: int = 1
    height: int | None = None
    width: int | None = None
    solver: str = "ddim"
    tile: int | None = None
    regions: int | None = None
    skip: SkipSettings = SkipSettings()

    def check(self) -> None:
        """Raises :class:`UsageError` for what cannot be."""
        if self.solver not in SOLVERS:
            known = ", ".join(SOLVERS)
            raise UsageError(f"solver {self.solver!r} is none of {known}{nearest(self.solver, SOLVERS)}")
        if self.steps < 2 or self.pictures < 1:
            raise UsageError(f"{self.steps} steps of {self.pictures} pictures: at least 2 steps and 1 picture")
        if self.frames < 1 or (self.frames > 1 and self.pictures > 1):
            raise UsageError(f"{self.frames} frames of {self.pictures} pictures: a clip is one picture that moves")
        self.skip.check(self.steps)
