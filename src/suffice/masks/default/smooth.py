"""Values that spread where the picture is even and stop at its edges."""

from __future__ import annotations

import numpy as np

from suffice.masks.default.looks import Look
from suffice.masks.default.view import Plane

CONTRAST = 5.0
LEAK = 1e-3
RESIDUAL = 1e-6


def smooth(values: Plane, anchor: Plane | float, colour: Look, rounds: int) -> Plane:
    """`values` made even within regions of one colour.

    The minimiser of ``sum anchor (x - values)² + sum w_ij (x_i - x_j)²`` over neighbours i, j, with
    ``w = exp(-CONTRAST |colour_i - colour_j|² / mean)``: a random walk with a prior (Grady 2005, Multilabel random
    walker image segmentation using prior models), by `rounds` steps of conjugate gradients.

    Args:
        anchor: how firmly each pixel keeps its own value.
    """
    across, down = _weights(colour)

    def apply(x: Plane) -> Plane:
        y = anchor * x
        flow = (x[:, 1:] - x[:, :-1]) * across
        y[:, 1:] += flow
        y[:, :-1] -= flow
        flow = (x[1:] - x[:-1]) * down
        y[1:] += flow
        y[:-1] -= flow
        return np.asarray(y, np.float32)

    x = values.astype(np.float32)
    residual = np.asarray(anchor * x - apply(x), np.float32)
    direction, energy = residual.copy(), float((residual * residual).sum())
    for _ in range(rounds):
        if energy < RESIDUAL:
            break
        applied = apply(direction)
        step = energy / (float((direction * applied).sum()) + 1e-12)
        x += step * direction
        residual -= step * applied
        before, energy = energy, float((residual * residual).sum())
        direction = residual + energy / before * direction
    return x


def _weights(colour: Look) -> tuple[Plane, Plane]:
    across = ((colour[:, 1:] - colour[:, :-1]) ** 2).sum(axis=-1)
    down = ((colour[1:] - colour[:-1]) ** 2).sum(axis=-1)
    scale = CONTRAST / ((across.mean() + down.mean()) / 2 + 1e-6)
    return np.exp(-scale * across) + LEAK, np.exp(-scale * down) + LEAK
