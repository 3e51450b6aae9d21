"""How much likelier each pixel is under the figure's looks than under the ground's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.masks.default.clusters import cluster
from suffice.masks.default.effort import Effort
from suffice.masks.default.looks import Look
from suffice.masks.default.view import Plane

ROUNDS = 4
STEP = 0.8
STEP_MAX = 3.0
EVIDENCE_MAX = 4.0

Groups = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Division:
    """Pixels divided into `count` groups."""

    groups: Groups
    count: int


def divisions(looks: Mapping[str, Look], effort: Effort) -> list[list[Division]]:
    """For every look and number of groups, the divisions from several starts. The same whatever the prompt."""
    return [
        [Division(cluster(looks[name], count, start), count) for start in range(effort.starts)]
        for name, counts in effort.groups.items()
        for count in counts
    ]


def evidence(divided: list[list[Division]], prior: Plane, possible: npt.NDArray[np.bool_]) -> Plane:
    """Mean log likelihood ratio, figure to ground, ``[height, width]``.

    Args:
        divided: the pixels in groups, several ways.
        prior: probability of the figure before looking.
        possible: where the figure may be at all; what is outside is ground for certain.
    """
    flat, allowed = prior.ravel(), possible.ravel()
    ratios = [np.mean([_ratio(start, flat, allowed) for start in starts], axis=0) for starts in divided]
    return np.asarray(np.mean(ratios, axis=0).reshape(prior.shape), np.float32)


def _ratio(division: Division, prior: Plane, possible: npt.NDArray[np.bool_]) -> Plane:
    """Histograms of figure and ground over the groups, each explained by the other's last guess (EM)."""
    odds = log_odds(prior)
    figure = prior * possible
    for _ in range(ROUNDS):
        of_figure = _shares(division, figure)
        ratio = np.log(of_figure / _shares(division, 1 - figure))[division.groups]
        figure = possible * sigmoid(odds + np.clip(STEP * ratio, -STEP_MAX, STEP_MAX))
    return np.clip(ratio, -EVIDENCE_MAX, EVIDENCE_MAX)


def _shares(division: Division, weights: Plane) -> npt.NDArray[np.float64]:
    counts = np.bincount(division.groups, weights=weights, minlength=division.count) + 1.0
    return np.asarray(counts / counts.sum())


def log_odds(probability: Plane) -> Plane:
    """``log(p / (1 - p))``, finite."""
    bounded = np.clip(probability, 0.002, 0.998)
    return np.asarray(np.log(bounded / (1 - bounded)), np.float32)


def sigmoid(odds: Plane) -> Plane:
    """The probability with these log odds."""
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)
