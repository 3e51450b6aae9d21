"""A figure cut from its ground in one view of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.masks.default.effort import FULL, Effort
from suffice.masks.default.evidence import Division, divisions, evidence, log_odds, sigmoid
from suffice.masks.default.looks import Look, colour_look, looks_of
from suffice.masks.default.smooth import smooth
from suffice.masks.default.view import Plane, View

WEIGHT = 2.2
ANCHOR, ANCHOR_SURE = 0.003, 1.0
ROUNDS = 90
GROUND_ODDS = -4.0

Sure = npt.NDArray[np.bool_]


class Seen(NamedTuple):
    """A view after looking: whatever is asked about it next costs little."""

    view: View
    colour: Look
    divided: list[list[Division]]


def look_at(view: View, effort: Effort = FULL) -> Seen:
    """The dear part, once for each view."""
    colour = colour_look(view)
    return Seen(view, colour, divisions(looks_of(view, colour), effort))


def figure(seen: Seen, prior: Plane, possible: npt.NDArray[np.bool_], sure: Plane | None = None) -> Plane:
    """Probability of the figure for each pixel of the view at work size.

    Args:
        prior: probability before looking.
        possible: where the figure may be at all.
        sure: log odds of pixels that the user vouches for, 0 elsewhere.
    """
    odds = log_odds(prior) + WEIGHT * evidence(seen.divided, prior, possible)
    odds = np.where(possible, odds, GROUND_ODDS).astype(np.float32)
    anchor: Plane | float = ANCHOR
    if sure is not None:
        odds = np.where(sure != 0, sure, odds)
        anchor = np.where(sure != 0, ANCHOR_SURE, ANCHOR).astype(np.float32)
    return sigmoid(smooth(odds, anchor, seen.colour, ROUNDS)) * possible
