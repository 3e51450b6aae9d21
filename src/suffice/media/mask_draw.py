"""Masks over their picture, for people to look at."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from suffice.media.image import Image
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask

_GOLDEN_ANGLE = 0.618034


def draw_masks(
    image: Image,
    masks: Sequence[Mask],
    labels: Sequence[str],
    numbers: Sequence[int] | None = None,
    opacity: float = 0.5,
) -> Image:
    """A copy of `image` with each mask in a colour of its own, outlined, its label at the top of it.

    `numbers` choose the colours (the ids of tracks, say), by default the place in `masks`.
    """
    blend = image.astype(np.float32)
    chosen = numbers or range(len(masks))
    for mask, number in zip(masks, chosen, strict=True):
        blend[mask] = blend[mask] * (1 - opacity) + np.array(colour_rgb(number)) * opacity
        blend[_outline(mask)] = colour_rgb(number)
    shown = [(mask, label, number) for mask, label, number in zip(masks, labels, chosen, strict=True) if mask.any()]
    return _write(np.rint(blend).astype(np.uint8), shown)


def colour_rgb(number: int) -> tuple[int, int, int]:
    """A colour for each number, neighbours far apart."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN_ANGLE % 1, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _outline(mask: Mask) -> Mask:
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return mask & ~inner


def _write(image: Image, shown: Sequence[tuple[Mask, str, int]]) -> Image:
    import PIL.Image
    from PIL import ImageDraw, ImageFont

    picture = PIL.Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(12, max(picture.size) // 50))
    for mask, label, number in shown:
        box = mask_box(mask)
        _, _, width, height = draw.textbbox((0, 0), label, font=font)
        x, y = min(box.x0, picture.width - int(width) - 4), max(box.y0 - int(height) - 4, 0)
        draw.rectangle((x, y, x + width + 4, y + height + 4), fill=colour_rgb(number))
        draw.text((x + 2, y + 1), label, fill="black", font=font)
    return np.array(picture)
