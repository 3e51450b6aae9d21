"""Outlines of masks, for formats that know nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from suffice.media.mask_rle import Mask

Polygon = Sequence[tuple[float, float]]
"""Corners x, y in pixels, along the edges between pixels."""

_RIGHT, _DOWN, _LEFT, _UP = (1, 0), (0, 1), (-1, 0), (0, -1)


def outlines(mask: Mask) -> list[list[tuple[int, int]]]:
    """Closed rectilinear outlines along pixel edges, a thing's clockwise and a hole's anticlockwise.

    Filling them by the even-odd rule (:func:`fill_polygons`) gives `mask` back to the pixel.
    """
    steps = _edge_steps(np.pad(mask, 1))
    loops = []
    while steps:
        start = min(steps)
        loops.append(_corners(_walk(steps, start)))
    return loops


def fill_polygons(polygons: Sequence[Polygon], size_hw: tuple[int, int]) -> Mask:
    """Pixels whose centre is inside an odd number of `polygons`."""
    height, width = size_hw
    crossings = np.zeros((height, width + 1), np.int32)
    for polygon in polygons:
        corners = np.asarray(polygon, np.float64)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            _cross(crossings, x0, y0, x1, y1)
    return np.asarray(np.cumsum(crossings, axis=1)[:, :width] % 2 == 1)


def _cross(crossings: npt.NDArray[np.int32], x0: float, y0: float, x1: float, y1: float) -> None:
    """Count the edge in every row whose centre line it crosses, left of the first pixel centre beyond it."""
    height, width = crossings.shape[0], crossings.shape[1] - 1
    low, high = sorted((y0, y1))
    rows = np.arange(max(int(np.ceil(low - 0.5)), 0), min(int(np.ceil(high - 0.5)), height))
    if len(rows):
        x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        crossings[rows, np.clip(np.ceil(x - 0.5), 0, width).astype(int)] += 1


def _edge_steps(padded: Mask) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """From each corner, where the boundary goes with the thing on the right hand."""
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for axis, (set_first, set_second) in ((0, (_LEFT, _RIGHT)), (1, (_DOWN, _UP))):
        first, second = (padded[:-1], padded[1:]) if axis == 0 else (padded[:, :-1], padded[:, 1:])
        for y, x in np.argwhere(first & ~second).tolist():
            _add(steps, axis, y, x, set_first)
        for y, x in np.argwhere(~first & second).tolist():
            _add(steps, axis, y, x, set_second)
    return steps


def _add(
    steps: dict[tuple[int, int], list[tuple[int, int]]], axis: int, y: int, x: int, towards: tuple[int, int]
) -> None:
    """The edge below (axis 0) or right of (axis 1) a padded pixel, from the corner it starts at."""
    corner = (x - 1, y) if axis == 0 else (x, y - 1)
    start = (corner[0] - min(towards[0], 0), corner[1] - min(towards[1], 0))
    steps.setdefault(start, []).append(towards)


def _walk(
    steps: dict[tuple[int, int], list[tuple[int, int]]], start: tuple[int, int]
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Corners with the way they are left, round to the start; each edge is used once."""
    place, heading, path = start, _RIGHT, []
    while place in steps:
        ways = steps[place]
        heading = _turn(heading, ways)
        ways.remove(heading)
        if not ways:
            del steps[place]
        path.append((place, heading))
        place = (place[0] + heading[0], place[1] + heading[1])
    return path


def _turn(heading: tuple[int, int], ways: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Where two outlines touch in a corner, the right turn keeps to one's own."""
    right = (-heading[1], heading[0])
    return right if right in ways else ways[0]


def _corners(path: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> list[tuple[int, int]]:
    """Only where the way turns."""
    return [place for (place, way), (_, before) in zip(path, [path[-1], *path[:-1]], strict=True) if way != before]
