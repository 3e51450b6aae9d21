"""Everything in a picture by a promptable network: a grid of clicks, and of their masks those that hold up.

After Kirillov et al. 2023 (Segment Anything, appendix B): masks that the network itself rates well, that do not change
when the threshold moves, that are no part of a crop's edge, once each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.masks.found import Candidate
from suffice.masks.prompt import Point, ThingPrompt
from suffice.masks.promptable.canvas import Resize, restored
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask, Rle, decode_rle, encode_rle
from suffice.media.mask_tidy import drop_islands, fill_holes
from suffice.media.reference import Box
from suffice.models.nms import nms
from suffice.models.protocol import Image

if TYPE_CHECKING:
    from suffice.masks.promptable.checkpoint_segmenter import Decoded, Encoded


@dataclass(frozen=True)
class AutomaticSettings:
    """The eleven knobs of the automatic generator.

    Attributes:
        points_per_side: of the grid over the picture.
        points_per_batch: clicks that go through the decoder together.
        score_min: least IoU the network expects of its own mask.
        stability_min: least IoU between the mask at thresholds ``+offset`` and ``-offset``.
        stability_offset: how far the threshold moves.
        box_iou_max: of two masks whose boxes overlap more, the better rated stays.
        crop_layers: 1 looks at 4 crops as well, 2 at 4 and 16.
        crop_iou_max: as `box_iou_max`, between crops; the smaller crop wins.
        crop_overlap: share of the picture's shorter side that neighbouring crops share.
        crop_points_divisor: of `points_per_side`, once a layer.
        area_px_min: smaller islands are dropped and smaller holes filled.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    score_min: float = 0.88
    stability_min: float = 0.95
    stability_offset: float = 1.0
    box_iou_max: float = 0.7
    crop_layers: int = 0
    crop_iou_max: float = 0.7
    crop_overlap: float = 512 / 1500
    crop_points_divisor: int = 1
    area_px_min: int = 0


class Decoder(Protocol):
    """What this needs of a segmenter."""

    def encode(self, image: Image) -> Any: ...

    def decode(self, encoded: Any, prompts: dict[str, npt.NDArray[Any]]) -> Decoded: ...


class Kept(NamedTuple):
    """A mask of the whole picture, as run lengths, with its rating and the crop it was found in."""

    rle: Rle
    score: float
    box: Box
    crop: Box


def generate(
    segmenter: Decoder, encoded: Encoded, settings: AutomaticSettings, resize: Resize | None = None
) -> list[Candidate]:
    """Masks best rated first."""
    height, width = encoded.canvas.height, encoded.canvas.width
    found: list[Kept] = []
    for layer, crop in crops(height, width, settings.crop_layers, settings.crop_overlap):
        part = encoded if layer == 0 else _encoded_crop(segmenter, encoded, crop)
        side = max(settings.points_per_side // settings.crop_points_divisor**layer, 1)
        found += _distinct(
            list(_in_crop(segmenter, part, crop, (height, width), side, settings, resize)), settings.box_iou_max
        )
    if settings.crop_layers:
        found = _distinct(found, settings.crop_iou_max, by_crop=True)
    if settings.area_px_min:
        found = _distinct([k for each in found for k in _tidied(each, settings.area_px_min)], settings.box_iou_max)
    return [Candidate(decode_rle(each.rle), each.score) for each in sorted(found, key=lambda each: -each.score)]


def _encoded_crop(segmenter: Decoder, encoded: Encoded, crop: Box) -> Any:
    if encoded.image is None:
        raise UsageError("crops need the picture itself: this encoding was read back from a file without it")
    return segmenter.encode(np.ascontiguousarray(encoded.image[crop.y0 : crop.y1, crop.x0 : crop.x1]))


def crops(height: int, width: int, layers: int, overlap_share: float) -> Iterator[tuple[int, Box]]:
    """The whole picture as layer 0, then ``2**layer`` squared crops that overlap, layer by layer."""
    yield 0, Box(0, 0, width, height)
    for layer in range(1, layers + 1):
        count = 2**layer
        overlap = int(overlap_share * min(height, width) * (2 / count))
        wide, high = (-(-(overlap * (count - 1) + side) // count) for side in (width, height))
        for row in range(count):
            for column in range(count):
                x0, y0 = (wide - overlap) * column, (high - overlap) * row
                yield layer, Box(x0, y0, min(x0 + wide, width), min(y0 + high, height))


def grid(side: int) -> npt.NDArray[np.float64]:
    """``side * side`` places in the unit square ``[n, 2]``, each in the middle of its cell, row by row."""
    middles = (np.arange(side) + 0.5) / side
    across, down = np.meshgrid(middles, middles)
    return np.stack([across.ravel(), down.ravel()], axis=1)


def _in_crop(
    segmenter: Decoder,
    encoded: Encoded,
    crop: Box,
    shape_hw: tuple[int, int],
    side: int,
    settings: AutomaticSettings,
    resize: Resize | None,
) -> Iterator[Kept]:
    from suffice.masks.promptable.checkpoint_segmenter import prompt_arrays

    wide, high = crop.x1 - crop.x0, crop.y1 - crop.y0
    places = grid(side) * [wide, high]
    for start in range(0, len(places), settings.points_per_batch):
        batch = places[start : start + settings.points_per_batch]
        things = [ThingPrompt(points=(Point(float(x), float(y)),)) for x, y in batch]
        decoded = segmenter.decode(encoded, prompt_arrays(things, encoded.canvas))
        logits = decoded.logits.reshape(-1, *decoded.logits.shape[-2:])
        scores = decoded.scores.ravel()
        for index in np.flatnonzero(scores > settings.score_min):
            plane = restored(logits[index][None], encoded.canvas, resize)[0]
            if stability(plane, settings.stability_offset) < settings.stability_min:
                continue
            mask = plane > 0
            if mask.any() and not _is_cut(mask_box(mask), crop, shape_hw):
                yield _kept(mask, float(scores[index]), crop, shape_hw)


def stability(logits: npt.NDArray[np.float32], offset: float) -> float:
    """IoU of the masks at thresholds `offset` and ``-offset``, which lie in each other; 0 when there is none."""
    wide = int((logits > -offset).sum())
    return int((logits > offset).sum()) / wide if wide else 0.0


EDGE_PX = 20


def _is_cut(box: Box, crop: Box, shape_hw: tuple[int, int]) -> bool:
    """Whether a box of the crop runs up to an edge of it that is not one of the picture's."""
    height, width = shape_hw
    placed = (box.x0 + crop.x0, box.y0 + crop.y0, box.x1 + crop.x0, box.y1 + crop.y0)
    near_crop = [abs(p - c) <= EDGE_PX for p, c in zip(placed, crop, strict=True)]
    near_picture = [abs(p - c) <= EDGE_PX for p, c in zip(placed, (0, 0, width, height), strict=True)]
    return any(c and not p for c, p in zip(near_crop, near_picture, strict=True))


def _kept(mask: Mask, score: float, crop: Box, shape_hw: tuple[int, int]) -> Kept:
    whole = np.zeros(shape_hw, bool)
    whole[crop.y0 : crop.y1, crop.x0 : crop.x1] = mask
    return Kept(encode_rle(whole), score, mask_box(whole), crop)


def _distinct(found: list[Kept], iou_max: float, by_crop: bool = False) -> list[Kept]:
    if not found:
        return []
    boxes = np.array([each.box for each in found], np.float32)
    areas = [(each.crop.x1 - each.crop.x0) * (each.crop.y1 - each.crop.y0) for each in found]
    ranks = [1 / area for area in areas] if by_crop else [each.score for each in found]
    kept = nms(boxes, np.array(ranks, np.float32), np.zeros(len(found), np.intp), iou_max)
    return [found[index] for index in kept]


def _tidied(each: Kept, area_px_min: int) -> Iterator[Kept]:
    mask = fill_holes(drop_islands(decode_rle(each.rle), area_px_min), area_px_min)
    if mask.any():
        yield Kept(encode_rle(mask), each.score, mask_box(mask), each.crop)
