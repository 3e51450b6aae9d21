"""Frames between frames, along the optical flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from suffice.diffusion.flow import optical_flow, warp
from suffice.media.image import Image
from suffice.models.named_parts import part_named

Between = Callable[[Image, Image, int], list[Image]]
"""``between(first, second, count)``: `count` frames between two, evenly in time."""


def between_named(name: str) -> Between:
    """``flow``, ``onnx:FILE`` (RIFE, FILM), or anyone's under the entry point group ``suffice.interpolators``.

    Raises:
        UsageError: nobody offers it.
    """
    found: Between = part_named("suffice.interpolators", "interpolator", name)
    return found


def by_flow() -> Between:
    """The one that needs no weights."""
    return between_by_flow


def between_by_flow(first: Image, second: Image, count: int) -> list[Image]:
    """Both frames drawn towards the moment along the flow, then mixed by closeness.

    Where they disagree by much (a thing appears, or the flow is wrong) the nearer frame counts alone.
    """
    forward, backward = optical_flow(first, second), optical_flow(second, first)
    found = []
    for number in range(1, count + 1):
        share = number / (count + 1)
        early, late = warp(first, -share * forward), warp(second, -(1 - share) * backward)
        mixed = early * (1 - share) + late * share
        apart = np.abs(early - late).max(axis=2, keepdims=True) > _DISAGREE
        nearer = early if share <= 0.5 else late
        found.append(np.where(apart, nearer, mixed).round().clip(0, 255).astype(np.uint8))
    return found


_DISAGREE = 64


def interpolated(
    frames: Iterable[Image], factor: int, *, closed: bool = False, between: Between = between_by_flow
) -> Iterator[Image]:
    """`factor` frames for each: ``(n - 1) * factor + 1`` in all, those that came in unchanged; `closed` clips lead on
    to their first frame and have ``n * factor``."""
    remaining = iter(frames)
    before = first = next(remaining, None)
    if before is None or first is None:
        return
    yield before
    for frame in remaining:
        yield from between(before, frame, factor - 1)
        yield frame
        before = frame
    if closed and factor > 1:
        yield from between(before, first, factor - 1)
