"""What is painted on: the size, the frames to start from, the masks, and how a painted frame becomes a finished one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from suffice.diffusion.clip.source import Source, open_source, resized
from suffice.diffusion.clip.strip import Strip, make_strip
from suffice.diffusion.control.hints import View, frames_of
from suffice.diffusion.load import Parts
from suffice.diffusion.masked.crop import smooth_boxes
from suffice.diffusion.masked.paste import paste_painted
from suffice.diffusion.masked.source import open_masks
from suffice.diffusion.settings import Settings
from suffice.errors import UsageError
from suffice.media.image import Image
from suffice.media.mask_rle import Mask
from suffice.media.reference import Box

Finish = Callable[[int, Image], Image]


@dataclass(frozen=True)
class Canvas:
    """A clip as it is denoised.

    Attributes:
        width, height: in pixels, whole latents.
        frames: how many.
        source: frames to start from, of that size, or None.
        masks: what is painted, of that size, or None for everything.
        view: what of a picture of the whole frame is on the canvas.
        finish: makes a painted frame what the user gets.
        still: whether the source is one picture.
    """

    width: int
    height: int
    frames: int
    source: Strip | None
    masks: list[Mask] | None
    view: View
    finish: Finish
    still: bool = False


def make_canvas(settings: Settings, parts: Parts, source: Source | None = None) -> Canvas:
    """The canvas that `settings` ask for, with `source` in place of their file.

    Raises:
        UsageError: a mask without a source, or of another size.
    """
    if source is None and not settings.init:
        if settings.mask:
            raise UsageError("a mask needs something to paint on: give it with --init")
        return Canvas(
            *_size(settings, parts), settings.frames, None, None, fitting(*_size(settings, parts)), _as_painted
        )
    source = source or open_source(settings.init)
    if settings.mask:
        originals = make_strip(frames_of(source, settings.frames), settings.frames)
        return (_cropped if settings.only_masked else _whole)(settings, parts, originals, source.count is None)
    return _plain(settings, parts, source)


def _as_painted(number: int, painted: Image) -> Image:
    return painted


def multiple_px(parts: Parts) -> int:
    """Sides must be multiples of this: pixels of a latent of the UNet's lowest level."""
    return parts.latent_scale * int(2 ** (len(parts.unet.config.down_block_types) - 1))


def _size(settings: Settings, parts: Parts) -> tuple[int, int]:
    width, height = settings.width or parts.side_px, settings.height or parts.side_px
    step = multiple_px(parts)
    if width % step or height % step:
        near = f"{_up(width, step)} x {_up(height, step)}"
        raise UsageError(f"{width} x {height} is not in steps of {step} pixels, as {parts.where} wants; try {near}")
    return width, height


def _up(side: int, step: int) -> int:
    return -(-side // step) * step


def _plain(settings: Settings, parts: Parts, source: Source) -> Canvas:
    width, height = _size(settings, parts)
    view = fitting(width, height)
    strip = make_strip((view(n, image) for n, image in enumerate(frames_of(source, settings.frames))), settings.frames)
    return Canvas(width, height, settings.frames, strip, None, view, _as_painted, source.count is None)


def fitting(width: int, height: int) -> View:
    """The middle of a picture, at that size."""
    return lambda number, image: resized(image, width, height)


def _masks(settings: Settings, originals: Strip) -> list[Mask]:
    height, width = originals.shape[1:3]
    mask_at = open_masks(settings.mask, width, height)
    return [mask_at(number) for number in range(len(originals))]


def _whole(settings: Settings, parts: Parts, originals: Strip, still: bool) -> Canvas:
    """Painted at its own size, with the last row and column repeated up to whole latents."""
    masks = _masks(settings, originals)
    height, width = originals.shape[1:3]
    step = multiple_px(parts)
    rows, columns = _up(height, step) - height, _up(width, step) - width

    def view(number: int, image: Image) -> Image:
        return np.pad(resized(image, width, height), ((0, rows), (0, columns), (0, 0)), mode="edge")

    def finish(number: int, painted: Image) -> Image:
        return paste_painted(originals[number], painted[:height, :width], masks[number], feather_px=settings.feather_px)

    wide = [np.pad(mask, ((0, rows), (0, columns))) for mask in masks]
    strip = make_strip(_seen(originals, view), len(originals))
    return Canvas(width + columns, height + rows, len(originals), strip, wide, view, finish, still)


def _cropped(settings: Settings, parts: Parts, originals: Strip, still: bool) -> Canvas:
    """The part around the mask, at the checkpoint's size."""
    masks = _masks(settings, originals)
    width, height = _size(settings, parts)
    boxes = smooth_boxes(masks, padding_px=settings.padding_px, aspect=width / height)

    def finish(number: int, painted: Image) -> Image:
        box = boxes[number]
        smaller = scaled(painted, box.x1 - box.x0, box.y1 - box.y0)
        return paste_painted(originals[number], smaller, masks[number], box, settings.feather_px)

    rows, columns = originals.shape[1:3]

    def view(number: int, image: Image) -> Image:
        return scaled(_cut(resized(image, columns, rows), boxes[number]), width, height)

    strip = make_strip(_seen(originals, view), len(originals))
    inside = [_scaled_mask(_cut(mask, box), width, height) for mask, box in zip(masks, boxes, strict=True)]
    return Canvas(width, height, len(originals), strip, inside, view, finish, still)


def _cut(pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]], box: Box) -> np.ndarray:
    return pixels[box.y0 : box.y1, box.x0 : box.x1]


def _seen(originals: Strip, view: View) -> Iterator[Image]:
    return (view(number, image) for number, image in enumerate(originals))


def scaled(image: Image, width: int, height: int) -> Image:
    """`image` stretched to that size; as it is when it has it."""
    import PIL.Image

    if image.shape[:2] == (height, width):
        return image
    stretched = PIL.Image.fromarray(np.ascontiguousarray(image)).resize((width, height), PIL.Image.Resampling.LANCZOS)
    return np.asarray(stretched)


def _scaled_mask(mask: Mask, width: int, height: int) -> Mask:
    """Set where any part of a pixel's place is: growing a mask keeps its shape, shrinking loses nothing of it."""
    import PIL.Image

    grey = PIL.Image.fromarray(mask.astype(np.uint8) * 255)
    found: Mask = np.asarray(grey.resize((width, height), PIL.Image.Resampling.BOX)) > 0
    return found
