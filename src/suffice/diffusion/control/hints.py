"""Hints of a whole clip on disk, handed out a window at a time: memory does not grow with the clip."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from suffice.diffusion.clip.source import Source
from suffice.diffusion.clip.strip import Strip, make_strip
from suffice.diffusion.control.annotate.aux import PREFIX as AUX
from suffice.diffusion.control.annotate.aux import aux_annotator
from suffice.diffusion.control.annotate.canny import canny
from suffice.diffusion.control.annotate.edges import edges
from suffice.diffusion.control.annotate.flow import flow
from suffice.errors import SufficeWarning
from suffice.media.image import Image

if TYPE_CHECKING:
    import torch

Annotate = Callable[[Image, Image], Image]
"""``annotate(frame, frame before)``: the hint of the frame."""

View = Callable[[int, Image], Image]
"""``view(number, picture)``: what of the picture of a whole frame is painted on, at the size that it is painted at."""

ANNOTATORS: dict[str, Annotate] = {
    "canny": lambda image, before: canny(image),
    "edges": lambda image, before: thin_edges(image),
    "softedge": lambda image, before: edges(image),
    "flow": flow,
    "seg": lambda image, before: image,
    "hint": lambda image, before: image,
}


def annotator_named(kind: str) -> Annotate:
    """The annotator of a kind of control."""
    return aux_annotator(kind.removeprefix(AUX)) if kind.startswith(AUX) else ANNOTATORS[kind]


def thin_edges(image: Image) -> Image:
    """Edges one pixel wide, as the packaged ControlNet was taught to read them."""
    from suffice.diffusion.pocket.edges import edges as thin

    return np.repeat(thin(image)[:, :, None], 3, axis=2)


@dataclass(frozen=True)
class Hints:
    """Hints by frame, uint8 ``[frames, height, width, 3]``, in a file that goes with this object."""

    pixels: Strip

    def window(self, frames: Sequence[int]) -> torch.Tensor:
        """``[frames, 3, height, width]`` from 0 to 1."""
        import torch

        return torch.from_numpy(self.pixels[list(frames)]).permute(0, 3, 1, 2).float() / 255


def make_hints(source: Source, annotate: Annotate, frames: int, view: View) -> Hints:
    """Hints for `frames` frames, made from what `view` shows of the source.

    A still hints at every frame; a clip that ends early holds its last frame, with a warning.
    """
    fitted = (view(number, image) for number, image in enumerate(frames_of(source, frames)))
    return Hints(make_strip(_annotated(fitted, annotate), frames))


def _annotated(images: Iterator[Image], annotate: Annotate) -> Iterator[Image]:
    before: Image | None = None
    for image in images:
        yield annotate(image, image if before is None else before)
        before = image


def frames_of(source: Source, wanted: int) -> Iterator[Image]:
    """Up to `wanted` frames; a still gives one. A warning when a clip ends before."""
    if source.count is None:
        return source.read([0])
    if source.count < wanted:
        line = f"{source.where!r} has {source.count} frames, the clip {wanted}: its last frame is held"
        warnings.warn(line, SufficeWarning, stacklevel=3)
    return source.read(range(min(wanted, source.count)))
