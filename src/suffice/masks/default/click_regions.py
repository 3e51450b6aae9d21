"""Boxes that a click may mean: detected things around it, and neighbourhoods of several sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.masks.default.box_prior import BoxXyxy
from suffice.masks.prompt import Point

RADII_SHARE = (0.06, 0.12, 0.22, 0.38)


def detected_around(boxes_xyxy: Sequence[BoxXyxy], points: Sequence[Point]) -> list[BoxXyxy]:
    """Those of `boxes_xyxy` with every positive point and none of the negative ones inside, in their order."""
    return [box for box in boxes_xyxy if all(_inside(box, point) == point.is_on for point in points)]


def neighbourhoods(points: Sequence[Point], width: int, height: int) -> list[BoxXyxy]:
    """Boxes around the positive points, wider by a small, a middling and a large part of the picture."""
    on = np.array([(point.x, point.y) for point in points if point.is_on])
    low, high = on.min(axis=0), on.max(axis=0)
    side = float(np.sqrt(width * height))
    return [
        (
            max(float(low[0]) - share * side, 0.0),
            max(float(low[1]) - share * side, 0.0),
            min(float(high[0]) + share * side, float(width)),
            min(float(high[1]) + share * side, float(height)),
        )
        for share in RADII_SHARE
    ]


def _inside(box_xyxy: BoxXyxy, point: Point) -> bool:
    return box_xyxy[0] <= point.x < box_xyxy[2] and box_xyxy[1] <= point.y < box_xyxy[3]
