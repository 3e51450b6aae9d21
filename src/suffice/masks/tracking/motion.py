"""Where a box will be: a Kalman filter with constant velocity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PLACE_SHARE, SPEED_SHARE = 0.05, 0.00625
"""Standard deviations of a box's place and speed, as shares of its height (Wojke et al. 2017, DeepSORT)."""

BoxXyxy = tuple[float, float, float, float]
_Vector = npt.NDArray[np.float64]


class Motion:
    """The state of one box: middle, width, height, and the speed of each, in pixels and frames."""

    def __init__(self, box_xyxy: BoxXyxy) -> None:
        measured = _measured(box_xyxy)
        self._state = np.concatenate([measured, np.zeros(4)])
        height = measured[3]
        self._covariance = np.diag(np.repeat([(2 * PLACE_SHARE * height) ** 2, (10 * SPEED_SHARE * height) ** 2], 4))

    def predict(self) -> BoxXyxy:
        """One frame later."""
        height = max(self._state[3], 1.0)
        self._state = _STEP @ self._state
        noise = np.diag(np.repeat([(PLACE_SHARE * height) ** 2, (SPEED_SHARE * height) ** 2], 4))
        self._covariance = _STEP @ self._covariance @ _STEP.T + noise
        return self.box_xyxy

    def correct(self, box_xyxy: BoxXyxy) -> None:
        """The box was seen here."""
        noise = np.eye(4) * (PLACE_SHARE * max(self._state[3], 1.0)) ** 2
        gain = self._covariance[:, :4] @ np.linalg.inv(self._covariance[:4, :4] + noise)
        self._state = self._state + gain @ (_measured(box_xyxy) - self._state[:4])
        self._covariance = self._covariance - gain @ self._covariance[:4]

    @property
    def box_xyxy(self) -> BoxXyxy:
        x, y, width, height = self._state[:4]
        width, height = max(width, 1.0), max(height, 1.0)
        return float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2)


_STEP = np.eye(8) + np.eye(8, k=4)


def _measured(box_xyxy: BoxXyxy) -> _Vector:
    x0, y0, x1, y1 = box_xyxy
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], np.float64)
