"""Guesses of every unit's value from the units already seen. A wrong guess widens an interval, it never breaks one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What was seen: unit numbers (n,) rising, their values (n,), and how many units each one stands for (n,)."""

    index: npt.NDArray[np.int64]
    values: Floats
    weights: Floats


Predictor = Callable[[Seen, Floats], Floats]
"""(what was seen, scores (N,)) -> predicted values (N,)."""


def nothing(seen: Seen, scores: Floats) -> Floats:
    """Zero for all."""
    return np.zeros_like(scores)


def regression(seen: Seen, scores: Floats) -> Floats:
    """A straight line through value against score, by weighted least squares."""
    at, weights = scores[seen.index], seen.weights / seen.weights.sum()
    middle, level = float(weights @ at), float(weights @ seen.values)
    spread = float(weights @ (at - middle) ** 2)
    slope = float(weights @ ((at - middle) * (seen.values - level))) / spread if spread > 0 else 0.0
    return level + slope * (scores - middle)


def interpolation(seen: Seen, scores: Floats) -> Floats:
    """Between the nearest units seen before and after, for tables in which neighbours are alike (video)."""
    return np.interp(np.arange(scores.size), seen.index, seen.values)


def interpolated_regression(seen: Seen, scores: Floats) -> Floats:
    """The regression, plus its own errors interpolated."""
    line = regression(seen, scores)
    return line + np.interp(np.arange(scores.size), seen.index, seen.values - line[seen.index])
