"""Draw a scene, with smooth edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from suffice.diffusion.pocket.outline import place
from suffice.diffusion.pocket.scene import BACKGROUNDS, COLOURS, Scene, Thing

SIDE = 64
_FINER = 4  # drawn this much larger, then averaged down


def _ink(pen: ImageDraw.ImageDraw, thing: Thing) -> None:
    for polygon in place(thing.kind, thing.centre_xy, thing.radius, thing.turn_deg):
        pen.polygon([(x, y) for x, y in polygon * SIDE * _FINER], fill=COLOURS[thing.colour])


def draw(scene: Scene) -> NDArray[np.uint8]:
    """Return the scene as RGB, uint8 [64, 64, 3]."""
    canvas = Image.new("RGB", (SIDE * _FINER, SIDE * _FINER), BACKGROUNDS[scene.background])
    pen = ImageDraw.Draw(canvas)
    for thing in scene.things:
        _ink(pen, thing)
    return np.asarray(canvas.reduce(_FINER))
