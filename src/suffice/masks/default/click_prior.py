"""What a click says before looking: near it yes, far from it less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from suffice.masks.default.box_prior import BoxXyxy
from suffice.masks.default.view import Plane, View
from suffice.masks.prompt import Point
from suffice.media.mask_rle import Mask

SURE_ODDS = 6.0
SURE_RADIUS_PX = 2.5
NEAR_ODDS, FALL = 2.0, 4.5


def click_prior(view: View, box_xyxy: BoxXyxy, points: Sequence[Point]) -> tuple[Plane, npt.NDArray[np.bool_]]:
    """Probability at work size that falls from the positive points to the sides of a box; and all of the view."""
    x0, y0, x1, y1 = view.box_at_work(box_xyxy)
    distance = np.min([_distance(view, p, (x1 - x0) / 2, (y1 - y0) / 2) for p in points if p.is_on], axis=0)
    prior = 1 / (1 + np.exp(-(NEAR_ODDS - FALL * distance**2)))
    return np.asarray(np.clip(prior, 0.02, 0.95), np.float32), np.ones(prior.shape, bool)


def sure_of(view: View, points: Sequence[Point]) -> Plane | None:
    """Log odds that the clicks fix around themselves, 0 elsewhere; None without clicks."""
    if not points:
        return None
    sure = np.zeros(view.work_wh[::-1], np.float32)
    for point in points:
        near = _distance(view, point, SURE_RADIUS_PX, SURE_RADIUS_PX) <= 1
        sure[near] = SURE_ODDS if point.is_on else -SURE_ODDS
    return sure


def on_click(mask: Mask, view: View, points: Sequence[Point]) -> Mask:
    """The connected parts of `mask` that hold a positive point."""
    parts, _ = ndimage.label(mask)
    places = [view.to_work(point.x, point.y) for point in points if point.is_on]
    height, width = mask.shape
    held = {int(parts[min(int(y), height - 1), min(int(x), width - 1)]) for x, y in places} - {0}
    return np.isin(parts, list(held))


def _distance(view: View, point: Point, across: float, down: float) -> npt.NDArray[np.float64]:
    x, y = view.to_work(point.x, point.y)
    width, height = view.work_wh
    columns = (np.arange(width) + 0.5 - x) / max(across, 1.0)
    rows = (np.arange(height) + 0.5 - y) / max(down, 1.0)
    return np.asarray(np.hypot.outer(rows, columns))
