"""Pictures too large to be looked at as one: words are looked for tile by tile, prompts in the part around them.

Networks shrink what they see to some hundred or a thousand pixels; of a picture of 20,000 they would see nothing small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from suffice.errors import MediaError
from suffice.masks.backend import Finder, Found
from suffice.masks.found import Candidate
from suffice.masks.prompt import BoxXyxy, Prompt, ThingPrompt
from suffice.media.image import PIXELS_MAX
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask
from suffice.media.reference import Box
from suffice.models.protocol import Image

LARGE_SIDE_PX = 4096
TILE_PX, STEP_PX = 1024, 512
"""Small enough for a detector that sees 416 pixels to find people of 80."""
MARGIN_SHARE = 0.5


def is_large(image: Image) -> bool:
    """Whether its longer side is above :data:`LARGE_SIDE_PX`; raises :class:`MediaError` above the limit of pixels."""
    height, width = image.shape[:2]
    if height * width > PIXELS_MAX:
        raise MediaError(f"a picture of {width} x {height} is above the limit of {PIXELS_MAX} pixels: crop it")
    return int(max(height, width)) > LARGE_SIDE_PX


def find_in_tiles(image: Image, prompt: Prompt, finder: Finder) -> list[Found]:
    """What `finder` finds in the whole and in every tile, best first, in pixels of the whole.

    Tiles overlap by half, so that what is smaller than that is whole in one of them; what a tile cuts is left to the
    others.
    """
    height, width = image.shape[:2]
    found = list(finder.find(image, prompt))
    for tile in tiles(height, width):
        part = np.ascontiguousarray(image[tile.y0 : tile.y1, tile.x0 : tile.x1])
        here = [_moved(each, tile, (height, width)) for each in finder.find(part, prompt)]
        found += [each for each in here if not _is_cut(each.box_xyxy, tile, width, height)]
    return sorted(found, key=lambda each: -each.score)


def tiles(height: int, width: int) -> Iterator[Box]:
    """Squares of :data:`TILE_PX` every :data:`STEP_PX`, row by row; the last of each end with the picture."""
    for y in _starts(height):
        for x in _starts(width):
            yield Box(x, y, min(x + TILE_PX, width), min(y + TILE_PX, height))


def window_of(thing: ThingPrompt, height: int, width: int) -> Box:
    """The part of a large picture to look at for a prompt: a tile's size around it, more when the prompt is larger."""
    x0, y0, x1, y1 = _extent(thing)
    across = max((x1 - x0) * MARGIN_SHARE, (TILE_PX - (x1 - x0)) / 2)
    down = max((y1 - y0) * MARGIN_SHARE, (TILE_PX - (y1 - y0)) / 2)
    return Box(
        max(int(x0 - across), 0), max(int(y0 - down), 0), min(int(x1 + across), width), min(int(y1 + down), height)
    )


def in_window(thing: ThingPrompt, window: Box) -> ThingPrompt:
    """The same prompt in pixels of `window`."""
    points = tuple(
        replace(p, x=p.x - window.x0, y=p.y - window.y0)
        for p in thing.points
        if window.x0 <= p.x < window.x1 and window.y0 <= p.y < window.y1
    )
    box = None if thing.box_xyxy is None else shifted(thing.box_xyxy, -window.x0, -window.y0)
    mask = None if thing.mask is None else thing.mask[window.y0 : window.y1, window.x0 : window.x1]
    return replace(thing, points=points, box_xyxy=box, mask=mask)


def in_whole(candidates: Sequence[Candidate], window: Box, shape_hw: tuple[int, int]) -> tuple[Candidate, ...]:
    """Masks of `window` as masks of the whole picture."""
    return tuple(Candidate(_placed(each.mask, window, shape_hw), each.score) for each in candidates)


def shifted(box_xyxy: BoxXyxy, x: float, y: float) -> BoxXyxy:
    """A box moved right and down."""
    return box_xyxy[0] + x, box_xyxy[1] + y, box_xyxy[2] + x, box_xyxy[3] + y


def _starts(length: int) -> list[int]:
    last = max(length - TILE_PX, 0)
    return sorted({*range(0, last, STEP_PX), last})


def _extent(thing: ThingPrompt) -> BoxXyxy:
    """Around everything of the prompt that says where the thing is."""
    corners = [(p.x, p.y) for p in thing.points if p.is_on]
    if thing.box_xyxy is not None:
        corners += [thing.box_xyxy[:2], thing.box_xyxy[2:]]
    if thing.mask is not None and thing.mask.any():
        box = mask_box(thing.mask)
        corners += [(box.x0, box.y0), (box.x1, box.y1)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _moved(found: Found, tile: Box, shape_hw: tuple[int, int]) -> Found:
    mask = None if found.mask is None else _placed(found.mask, tile, shape_hw)
    return replace(found, box_xyxy=shifted(found.box_xyxy, tile.x0, tile.y0), mask=mask)


def _placed(mask: Mask, part: Box, shape_hw: tuple[int, int]) -> Mask:
    whole = np.zeros(shape_hw, bool)
    whole[part.y0 : part.y1, part.x0 : part.x1] = mask
    return whole


def _is_cut(box_xyxy: BoxXyxy, tile: Box, width: int, height: int) -> bool:
    """Whether it runs into an edge of its tile that is not one of the picture's."""
    at_edge = (box_xyxy[0] <= tile.x0, box_xyxy[1] <= tile.y0, box_xyxy[2] >= tile.x1, box_xyxy[3] >= tile.y1)
    inner = (tile.x0 > 0, tile.y0 > 0, tile.x1 < width, tile.y1 < height)
    return any(at and is_inner for at, is_inner in zip(at_edge, inner, strict=True))
