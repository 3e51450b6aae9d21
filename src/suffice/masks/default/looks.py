"""What a pixel looks like, in several ways: its colour, its place, and what a net for photographs sees there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.masks.default.colour import to_lab
from suffice.masks.default.tapped_mobilenet import Activations, activations
from suffice.masks.default.view import View, stretched

Look = npt.NDArray[np.float32]
"""Features of every pixel of a view, float32 ``[height, width, n]``."""

COLOUR_UNIT = 20.0
COMPONENTS, COMPONENTS_MIXED = 8, 6


def colour_look(view: View) -> Look:
    """L*a*b* about the view's mean, in units in which 1 is a plain difference."""
    lab = to_lab(view.at_work())
    return np.asarray((lab - lab.mean(axis=(0, 1))) / COLOUR_UNIT, np.float32)


def looks_of(view: View, colour: Look) -> dict[str, Look]:
    """All looks by name; each is compared with itself only."""
    stride4, stride8, stride16, deepest = (components(tap, view.work_wh) for tap in activations(view.pixels))
    return {
        "colour": colour,
        "colour_place": np.dstack([colour, place_look(view)]),
        "edge": stride4,
        "texture": stride8,
        "part": stride16,
        "thing": deepest,
        "all": np.dstack([colour, stride8[..., :COMPONENTS_MIXED], deepest[..., :COMPONENTS_MIXED]]),
    }


def place_look(view: View) -> Look:
    """Column and row from -1 to 1."""
    width, height = view.work_wh
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return np.dstack([across, down]).astype(np.float32)


def components(tap: Activations, work_wh: tuple[int, int]) -> Look:
    """The first principal components of `tap` at work size, the first with unit deviation."""
    channels = len(tap)
    values = tap.reshape(channels, -1).T
    values = values - values.mean(axis=0)
    _, axes = np.linalg.eigh(values.T @ values)
    projected = values @ axes[:, ::-1][:, : min(COMPONENTS, channels)]
    projected /= projected[:, 0].std() + 1e-6
    planes = projected.T.reshape(-1, *tap.shape[1:])
    return np.dstack([stretched(plane, work_wh) for plane in planes])
