"""Everything in a picture without being asked: detected things, and super-pixels that stand out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import ndimage

from suffice.masks.default.box_prior import BoxXyxy
from suffice.masks.default.clusters import cluster
from suffice.masks.default.looks import colour_look, looks_of
from suffice.masks.default.view import view_of
from suffice.masks.found import Candidate
from suffice.masks.prompt import ThingPrompt
from suffice.media.mask_rle import Mask
from suffice.models.nms import nms
from suffice.models.protocol import Image

GRAINS = ("colour_place", 10), ("all", 8), ("all", 16)
"""Looks and numbers of groups whose connected parts are super-pixels, fine to coarse."""

SHARE_MIN, SHARE_MAX = 0.004, 0.7
BOXES_MAX = 24
BOX_IOU_MAX, MASK_IOU_MAX = 0.7, 0.6

InBox = Callable[[BoxXyxy, ThingPrompt], tuple[Candidate, ...]]


def everything(image: Image, detected: Sequence[BoxXyxy], in_box: InBox) -> list[Candidate]:
    """Masks best first, no two of which overlap above :data:`MASK_IOU_MAX`.

    Args:
        detected: boxes of things, which go before super-pixels.
        in_box: segments what fills a box.
    """
    boxes = _distinct([*detected, *_super_pixel_boxes(image)])[:BOXES_MAX]
    found = [in_box(box, ThingPrompt(box_xyxy=box))[0] for box in boxes]
    return _apart(sorted((each for each in found if each.mask.any()), key=lambda each: -each.score))


def _super_pixel_boxes(image: Image) -> list[BoxXyxy]:
    """Boxes of connected parts of the groups, largest first."""
    height, width = image.shape[:2]
    view = view_of(image, (0.0, 0.0, float(width), float(height)))
    looks = looks_of(view, colour_look(view))
    across, down = width / view.work_wh[0], height / view.work_wh[1]
    boxes = []
    for name, count in GRAINS:
        groups = cluster(looks[name], count, 0).reshape(view.work_wh[::-1])
        for part in _parts(groups, count):
            rows, columns = part
            boxes.append((columns.start * across, rows.start * down, columns.stop * across, rows.stop * down))
    return sorted(boxes, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))


def _parts(groups: np.ndarray, count: int) -> Iterator[tuple[slice, slice]]:
    for group in range(count):
        opened = ndimage.binary_opening(groups == group, iterations=1)
        labelled, _ = ndimage.label(opened)
        areas = np.bincount(labelled.ravel())
        for number, place in enumerate(ndimage.find_objects(labelled), 1):
            if SHARE_MIN <= areas[number] / groups.size <= SHARE_MAX:
                yield place


def _distinct(boxes: Sequence[BoxXyxy]) -> list[BoxXyxy]:
    """In their order, without those that lie nearly on an earlier one."""
    if not boxes:
        return []
    ranks = -np.arange(len(boxes), dtype=np.float32)
    kept = nms(np.array(boxes, np.float32), ranks, np.zeros(len(boxes), np.intp), BOX_IOU_MAX)
    return [boxes[index] for index in kept]


def _apart(found: Sequence[Candidate]) -> list[Candidate]:
    kept: list[Candidate] = []
    for each in found:
        if all(mask_iou(each.mask, other.mask) <= MASK_IOU_MAX for other in kept):
            kept.append(each)
    return kept


def mask_iou(mask: Mask, other: Mask) -> float:
    """Intersection over union; 0 when both are empty."""
    either = int(np.count_nonzero(mask | other))
    return int(np.count_nonzero(mask & other)) / either if either else 0.0
