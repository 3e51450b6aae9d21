"""Outlines of the things we draw, as polygons around the origin that fit a circle of radius 1."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from suffice.diffusion.pocket.scene import DIGITS

Polygon = NDArray[np.float64]  # [n, 2], x right and y down

# The strokes of a seven-part display: x0, y0, x1, y1 in a box around the origin.
_W, _H, _T = 0.66, 1.08, 0.34
_STROKES = {
    "a": (-_W, -_H, _W, -_H + _T),
    "b": (_W - _T, -_H, _W, _T / 2),
    "c": (_W - _T, -_T / 2, _W, _H),
    "d": (-_W, _H - _T, _W, _H),
    "e": (-_W, -_T / 2, -_W + _T, _H),
    "f": (-_W, -_H, -_W + _T, _T / 2),
    "g": (-_W, -_T / 2, _W, _T / 2),
}
_LIT = dict(
    zip(DIGITS, ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"), strict=True)
)


def _around(count: int, radii: tuple[float, ...] = (1.0,), start_deg: float = -90.0) -> Polygon:
    angle = np.deg2rad(start_deg + np.arange(count) * 360.0 / count)
    radius = np.resize(np.asarray(radii), count)
    return np.stack([np.cos(angle) * radius, np.sin(angle) * radius], axis=1)


def _heart() -> Polygon:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y - 2.5], axis=1) / 16.0


def _box(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


_SHAPES: dict[str, tuple[Polygon, ...]] = {
    "circle": (_around(40, (0.95,)),),
    "square": (_box(-0.85, -0.85, 0.85, 0.85),),
    "triangle": (_around(3, (1.1,)) + np.array((0.0, 0.15)),),
    "star": (_around(10, (1.1, 0.45)),),
    "cross": (_box(-0.95, -0.3, 0.95, 0.3), _box(-0.3, -0.95, 0.3, 0.95)),
    "heart": (_heart(),),
}


@cache
def outlines(kind: str) -> tuple[Polygon, ...]:
    """Return the polygons whose union is a thing of this kind."""
    if kind in _LIT:
        return tuple(_box(*_STROKES[stroke]) for stroke in _LIT[kind])
    return _SHAPES[kind]


def place(kind: str, centre_xy: tuple[float, float], radius: float, turn_deg: float) -> list[Polygon]:
    """Return the polygons of a thing turned, scaled and moved to where it is, in shares of the picture's side."""
    turn = np.deg2rad(turn_deg)
    rotate = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    return [polygon @ rotate * radius + centre_xy for polygon in outlines(kind)]
