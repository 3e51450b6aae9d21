"""Noise of a seed, the same on every device and number of threads, and equal to what diffusers draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.diffusion.noise.repeat import freenoise, repeated
from suffice.errors import UsageError, nearest

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.timeline.track import Track

NOISES = ("random", "freenoise", "repeat")


def draw_noise(
    shape: tuple[int, int, int, int, int],
    generator: torch.Generator,
    *,
    kind: str = "random",
    context: int = 16,
    stride: int = 4,
    seeds: Track[int] | None = None,
) -> torch.Tensor:
    """Gaussian noise, float32 ``[1, channels, frames, height, width]`` on the CPU.

    Args:
        shape: of it.
        generator: on the CPU, seeded; it goes on from here for schedulers that draw at every step.
        kind: ``random``; ``freenoise``: beyond `context` frames the first ones, shuffled `stride` at a time (FreeNoise,
            arXiv 2310.15169); ``repeat``: the first `context` frames again and again.
        context: frames of a window.
        stride: of ``freenoise``.
        seeds: from each key on, the noise of frames starts anew from that seed.

    Raises:
        UsageError: unknown `kind`.
    """
    import torch

    if kind not in NOISES:
        raise UsageError(f"there is no noise {kind!r}{nearest(kind, NOISES)}")
    if seeds is not None:
        return _in_parts(shape, seeds)
    noise = torch.randn(shape, generator=generator)
    if kind == "random" or shape[2] <= context:
        return noise
    return freenoise(noise, context, stride, generator) if kind == "freenoise" else repeated(noise, context)


def _in_parts(shape: tuple[int, int, int, int, int], seeds: Track[int]) -> torch.Tensor:
    import torch

    starts = [0, *seeds.frames[1:]]
    ends = [*seeds.frames[1:], shape[2]]
    parts = []
    for start, end, seed in zip(starts, ends, seeds.values, strict=True):
        generator = torch.Generator().manual_seed(seed)
        parts.append(torch.randn((*shape[:2], end - start, *shape[3:]), generator=generator))
    return torch.cat(parts, dim=2)
