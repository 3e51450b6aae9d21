"""Draw a scene: smooth edges, and marks of motion so that even one still says how its things move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from suffice.diffusion.pocket.outline import place
from suffice.diffusion.pocket.scene import BACKGROUNDS, COLOURS, Scene, Thing

SIDE = 64
_FINER = 4  # drawn this much larger, then averaged down
_STEP = 0.075
_TOWARDS = {"moving left": (-1, 0), "moving right": (1, 0), "moving up": (0, -1), "moving down": (0, 1)}

Colour = tuple[int, ...]


def _mix(ink: Colour, ground: Colour, share: float) -> Colour:
    return tuple(round(a * share + b * (1 - share)) for a, b in zip(ink, ground, strict=True))


def _shifted(thing: Thing, dx: float, dy: float) -> Thing:
    x, y = thing.centre_xy
    return replace(thing, centre_xy=(x + dx, y + dy))


def _marks_behind(thing: Thing) -> list[tuple[Thing, float]]:
    """Faint copies to draw before the thing, each with its strength: the trail of a move, the echo of a turn."""
    if thing.motion in _TOWARDS:
        dx, dy = _TOWARDS[thing.motion]
        return [(_shifted(thing, -dx * _STEP * n, -dy * _STEP * n), share) for n, share in ((2, 0.25), (1, 0.5))]
    if thing.motion == "spinning":
        return [(replace(thing, turn_deg=thing.turn_deg - by), share) for by, share in ((40, 0.25), (20, 0.5))]
    if thing.motion == "shrinking":
        return [(replace(thing, radius=thing.radius * 1.3), 0.35)]
    return []


def _marks_before(thing: Thing) -> list[tuple[Thing, float]]:
    return [(replace(thing, radius=thing.radius * 0.6), 0.55)] if thing.motion == "growing" else []


def _ink(pen: ImageDraw.ImageDraw, thing: Thing, colour: Colour) -> None:
    for polygon in place(thing.kind, thing.centre_xy, thing.radius, thing.turn_deg):
        pen.polygon([(x, y) for x, y in polygon * SIDE * _FINER], fill=colour)


def _ink_thing(pen: ImageDraw.ImageDraw, thing: Thing, ground: Colour) -> None:
    ink = COLOURS[thing.colour]
    for mark, share in _marks_behind(thing):
        _ink(pen, mark, _mix(ink, ground, share))
    _ink(pen, thing, ink)
    for mark, share in _marks_before(thing):
        _ink(pen, mark, _mix(ink, ground, share))


def draw(scene: Scene) -> NDArray[np.uint8]:
    """Return the scene as RGB, uint8 [64, 64, 3]."""
    ground = BACKGROUNDS[scene.background]
    canvas = Image.new("RGB", (SIDE * _FINER, SIDE * _FINER), ground)
    pen = ImageDraw.Draw(canvas)
    for thing in scene.things:
        _ink_thing(pen, thing, ground)
    return np.asarray(canvas.reduce(_FINER))
