"""How likely a pixel belongs to the thing in a box, before looking at the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.masks.default.view import Plane, View

CENTRE_ODDS = 2.2
FALL = 2.34
LOW, HIGH = 0.05, 0.93
CUT_SHARE = 0.3

BoxXyxy = tuple[float, float, float, float]


def box_prior(view: View, box_xyxy: BoxXyxy, picture_wh: tuple[int, int]) -> tuple[Plane, npt.NDArray[np.bool_]]:
    """Probability at work size, and where the box is: high in the middle, low in the corners.

    Towards a side where the box ends with the picture the thing goes on, so there it hardly falls.
    """
    x0, y0, x1, y1 = view.box_at_work(box_xyxy)
    width, height = view.work_wh
    across = (np.arange(width) + 0.5 - x0) / (x1 - x0) * 2 - 1
    down = (np.arange(height) + 0.5 - y0) / (y1 - y0) * 2 - 1
    inside = (np.abs(down) < 1)[:, None] & (np.abs(across) < 1)[None, :]
    if not inside.any():  # thinner than a work pixel: the one it is in
        inside[min(int(y0), height - 1), min(int(x0), width - 1)] = True
    away_across = _away(across, box_xyxy[0] <= 1, box_xyxy[2] >= picture_wh[0] - 1)
    away_down = _away(down, box_xyxy[1] <= 1, box_xyxy[3] >= picture_wh[1] - 1)
    prior = 1 / (1 + np.exp(-(CENTRE_ODDS - FALL * np.add.outer(away_down**2, away_across**2))))
    return np.asarray(np.clip(prior, LOW, HIGH) * inside, np.float32), inside


def _away(position: npt.NDArray[Any], is_cut_low: bool, is_cut_high: bool) -> npt.NDArray[np.float64]:
    low = np.where((position < 0) & is_cut_low, CUT_SHARE, 1.0)
    return np.asarray(position * np.where((position > 0) & is_cut_high, CUT_SHARE, low))
