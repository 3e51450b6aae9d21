"""Clips by lot: one shape that does what its caption says, as one scene a frame."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from suffice.diffusion.pocket.configs import FRAMES
from suffice.diffusion.pocket.sample import BREADTHS, background, pick, thing
from suffice.diffusion.pocket.scene import MOTIONS, SHAPES, STILL, Scene, Thing

_TOWARDS = {"moving left": (-1, 0), "moving right": (1, 0), "moving up": (0, -1), "moving down": (0, 1)}
_EDGE = 0.02
_TURN_DEG = 120.0


def _along(count: int) -> list[float]:
    return [n / (count - 1) for n in range(count)]


def _moved(rng: Generator, first: Thing, count: int) -> list[Thing]:
    """Cross most of the room there is at an even pace, never leaving the picture."""
    low, high = first.radius + _EDGE, 1 - first.radius - _EDGE
    distance = float(rng.uniform(0.75, 1)) * (high - low)
    x, y = (
        float(rng.uniform(low + (distance if way < 0 else 0), high - (distance if way > 0 else 0)))
        for way in _TOWARDS[first.motion]
    )
    dx, dy = _TOWARDS[first.motion]
    return [replace(first, centre_xy=(x + dx * distance * at, y + dy * distance * at)) for at in _along(count)]


def _resized(rng: Generator, first: Thing, count: int) -> list[Thing]:
    small, great = BREADTHS
    x, y = (float(v) for v in rng.uniform(great + _EDGE, 1 - great - _EDGE, 2))
    start, end = (small, great) if first.motion == "growing" else (great, small)
    return [replace(first, centre_xy=(x, y), radius=start + (end - start) * at) for at in _along(count)]


def _turned(first: Thing, count: int) -> list[Thing]:
    return [replace(first, turn_deg=_TURN_DEG * at) for at in _along(count)]


def things(rng: Generator, first: Thing, count: int) -> list[Thing]:
    """Return the thing at each of `count` moments of its motion."""
    if first.motion in _TOWARDS:
        return _moved(rng, first, count)
    if first.motion in ("growing", "shrinking"):
        return _resized(rng, first, count)
    return _turned(first, count) if first.motion == "spinning" else [first] * count


def clip(rng: Generator, motion: str = "", count: int = FRAMES) -> list[Scene]:
    """Return a clip of `count` scenes; its motion by lot unless given."""
    motion = motion or pick(rng, (*MOTIONS, STILL))
    kinds = tuple(kind for kind in SHAPES if kind != "circle") if motion == "spinning" else SHAPES
    first = thing(rng, pick(rng, kinds), "", (None, None), motion=motion)
    ground = background(rng)
    return [Scene(ground, (seen,)) for seen in things(rng, first, count)]
