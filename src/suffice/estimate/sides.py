"""How the two sides of an interval share the error that is asked and the chance to fail.

An interval is narrow enough when its ends are near each other; which of them is nearer to the value does not matter.
Where a value may lie far on one side of what was seen (100 things in a frame that usually has five), ruling that out
takes most of the draws, and the other side can do with less of both. All of this is decided before the draws that it
is used on, so it changes how soon an interval is narrow and never whether it holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.estimate.martingale import CAP

Floats = npt.NDArray[np.float64]

_PARTS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True)
class Outlook:
    """What C statements are expected to give, of one unit on average; (C,) each.

    `reach` is how far a value can lie on the side that costs capital: the stake is at most ``CAP / reach``.
    """

    value: Floats
    variance: Floats
    reach: Floats

    def draws(self, distance: Floats, log_ratio: Floats) -> Floats:
        """(C, …) draws until values `distance` (C, …) away are rejected, `log_ratio` (C,) being what that takes."""
        variance, reach, wanted = (
            part.reshape(-1, *[1] * (distance.ndim - 1)) for part in (self.variance, self.reach, log_ratio)
        )
        stake = np.minimum(distance / np.maximum(variance, 1e-300), CAP / np.maximum(reach, 1e-300))
        return np.asarray(wanted / np.maximum(stake * distance - stake**2 * variance / 2, 1e-300))


def shared(half_width: float, outlook: Outlook, log_ratio: Floats) -> tuple[float, float]:
    """(the first side's part of the whole width, draws it takes): both sides done at the same time.

    Args:
        half_width: of the interval, in a unit's value.
        outlook: of a total and of its negative.
        log_ratio: (2,) logarithm of the capital that rejects.
    """
    draws = outlook.draws(2 * half_width * np.stack([_PARTS, 1 - _PARTS]), log_ratio).max(axis=0)
    best = int(np.argmin(draws))
    return float(_PARTS[best]), float(draws[best])


def split(half_width: float, outlook: Outlook, delta: float) -> Floats:
    """(2,) the chance to fail of either side, together `delta`, with which the interval is there soonest."""
    options = [delta * np.array([part, 1 - part]) for part in _PARTS]
    takes = [shared(half_width, outlook, -np.log(option))[1] for option in options]
    return options[int(np.argmin(takes))]
