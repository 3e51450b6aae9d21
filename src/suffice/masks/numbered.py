"""A picture with its things coloured, numbered and boxed, for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.masks.found import FoundThing
from suffice.media.image import Image
from suffice.media.mask_draw import colour_rgb, draw_masks


def numbered_blend(image: Image, things: Sequence[FoundThing], boxes: bool = True) -> Image:
    """`image` with each of `things` in the colour of its id, ``id label score`` at its top, and its box."""
    blended = draw_masks(
        image,
        [thing.mask for thing in things],
        [f"{thing.id} {thing.label} {thing.score:.2f}".replace("  ", " ") for thing in things],
        [thing.id for thing in things],
    )
    return _outlined(blended, things) if boxes else blended


def _outlined(image: Image, things: Sequence[FoundThing]) -> Image:
    drawn = np.ascontiguousarray(image)
    for thing in things:
        x0, y0, x1, y1 = thing.box_xyxy
        if x1 > x0:
            colour = colour_rgb(thing.id)
            drawn[y0:y1, [x0, x1 - 1]] = colour
            drawn[[y0, y1 - 1], x0:x1] = colour
    return drawn
