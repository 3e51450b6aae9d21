"""How much memory a request takes, found by one pass on tensors without contents; what will not fit is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from suffice.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.course import Course
    from suffice.regional.denoiser import Networks

SPARE = 1.1
ROUGH = 4  # the rough bound is one of activations alone
LESS = "ask for fewer pictures or frames, or for a smaller height and width"


class Need(NamedTuple):
    """Bytes of a request in one process. kept: from step to step. peak: in a whole step, what is kept among it."""

    kept: int
    peak: int

    def among(self, processes: int, kept_by_others: int = 0) -> int:
        """Bytes in one memory that `processes` share, when all are in a whole step."""
        return kept_by_others * processes + self.peak * processes


def need_of(networks: Networks, course: Course) -> Need:
    """What `course` will take: shapes go through the very layers and operators that will run; nothing is computed."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from suffice.diffusion.memory.estimate import count_alive
    from suffice.regional.denoiser import opened
    from suffice.regional.frame import Cache

    told, grid, cache = course.condition, course.grid, Cache()
    shape = (told.batch, course.latents.shape[1], grid.height, grid.width)
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        outline, latents = _outline(networks), torch.empty(shape).to(course.latents)
        condition = replace(told, text=_empty(told.text), hint=_empty(told.hint))
        if told.added is not None:
            condition.added = {name: one.new_empty(one.shape) for name, one in told.added.items()}
        with opened(*outline) as denoiser, count_alive() as alive:
            denoiser.dense(latents, torch.ones((), device=latents.device), condition, grid, cache)
        return Need(cache.bytes, int(alive.peak))


def _empty(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.new_empty(tensor.shape)


def _outline(networks: Networks) -> Networks:
    """The same architectures without weights."""
    unet, control, motion = networks
    if motion is not None:
        motion = replace(motion, adapter=_without_weights(motion.adapter))
    return type(networks)(_without_weights(unet), control and _without_weights(control), motion)


def _without_weights(network: Any) -> Any:
    import torch

    usual = torch.get_default_dtype()
    torch.set_default_dtype(network.dtype)
    try:
        with torch.device(network.device):
            return type(network).from_config(network.config).eval()
    finally:
        torch.set_default_dtype(usual)


@dataclass
class Room:
    """The memory that requests of one model may fill. processes: that share it."""

    networks: Networks
    processes: int
    bytes_max: int
    _known: dict[tuple[Any, ...], Need] = field(default_factory=dict)

    def need(self, course: Course) -> Need:
        """See :func:`need_of`; found once for every size."""
        told = course.condition
        size = (course.grid, told.batch, told.frames, told.hint is None)
        if size not in self._known:
            self._known[size] = need_of(self.networks, course)
        return self._known[size]

    def fits(self, course: Course, beside: Sequence[Course]) -> bool:
        """Whether `course` fits beside those that are open. Raises :class:`UsageError` when it would not fit alone."""
        if self._surely([course, *beside]):
            return True
        self.check(course)
        kept = sum(self.need(one).kept for one in beside)
        return self.need(course).among(self.processes, kept) * SPARE <= self.bytes_max

    def check(self, course: Course) -> None:
        """Raise :class:`UsageError` with both numbers when `course` does not fit though nothing else is there."""
        if self._surely([course]):
            return
        need = self.need(course)
        wanted = need.among(self.processes)
        if wanted * SPARE > self.bytes_max:
            raise UsageError(
                f"this request takes about {_gib(wanted)} in {self.processes} processes, {_gib(need.kept)} of it kept "
                f"from step to step in each, and {_gib(self.bytes_max)} are free: {LESS}"
            )

    def _surely(self, courses: Sequence[Course]) -> bool:
        """Most requests are far below what is free: a bound at no cost is enough then."""
        from suffice.diffusion.memory.estimate import rough_bytes

        bounds = [
            rough_bytes(self.networks.unet, one.condition.batch, one.grid.height, one.grid.width) for one in courses
        ]
        return ROUGH * self.processes * sum(bounds) < self.bytes_max


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def room_for(networks: Networks, processes: int, bytes_max: int | None = None) -> Room:
    """By default all memory that is free now; with a GPU each process is taken to have one of its own."""
    from suffice.diffusion.memory.estimate import available_bytes

    device = next(networks.unet.parameters()).device
    free = available_bytes(device) if bytes_max is None else bytes_max
    return Room(networks, 1 if device.type == "cuda" else processes, free)
