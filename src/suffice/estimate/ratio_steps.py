"""The grid of ratios that are tested one by one, and the statements that test them.

With m >= 0 in every unit, ``sum y / sum m >= r`` exactly if the total of ``y - r m`` is not below zero (and the total
of m is not zero). "At least r" is claimed for rising r, each step at the full delta, up to the first that is not
shown: a false claim needs the first false step to be shown, which has probability <= delta, however many steps follow
(fixed-sequence testing: Maurer, Hothorn & Lehmacher 1995). "At most r" the same for falling r.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.estimate.linear_totals import Statements

Floats = npt.NDArray[np.float64]

REACH = 3.0
"""How far from the guess the grid goes, as a factor."""


def ratio_grid(guess: float, error_relative: float, low: float, high: float) -> Floats:
    """(K,) rising ratios inside [low, high], about a tenth of the wanted error apart near `guess`."""
    if guess == 0 or not np.isfinite(guess):
        ends = [end if np.isfinite(end) else 1.0 for end in (low, high)]
        return np.linspace(ends[0], ends[1], 64)
    step = np.log1p(error_relative / 10)
    near = np.arange(-1.5 * np.log1p(error_relative) - 0.2, 1.5 * np.log1p(error_relative) + 0.2, step)
    far = np.linspace(0, np.log(REACH), 12)
    factors = np.exp(np.unique(np.concatenate([-far, near, far])))
    steps = np.sort(guess * factors)
    return steps[(steps >= low) & (steps <= high)]


def ratio_statements(
    top: Floats, bottom: Floats, steps: Floats, ends: tuple[Floats, Floats]
) -> tuple[Statements, Statements]:
    """(at least, at most): statements about ``top - r bottom`` in testing order.

    Args:
        top, bottom: (P,) weights of the numerator and the denominator; the denominator is never negative.
        steps: (K,) rising.
        ends: (K,) least and largest value of ``top - r bottom`` in one unit.
    """
    weights = top[None] - steps[:, None] * bottom[None]
    low, high = ends
    at_least = Statements(weights, low, high, True)
    at_most = Statements(-weights[::-1], -high[::-1], -low[::-1], True)
    return at_least, at_most


def shown(lower: Floats) -> int:
    """How many steps are shown: those before the first that is not."""
    held = lower >= 0
    return int(held.size if held.all() else np.argmin(held))
