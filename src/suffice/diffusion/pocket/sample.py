"""Draw scenes by lot: one to three things, named or unnamed places, moving or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from numpy.random import Generator

from suffice.diffusion.pocket.scene import BACKGROUNDS, COLOURS, DIGITS, MOTIONS, SHAPES, SIZES, STILL, Scene, Thing

PLACES = {
    "on the left": (0.25, None),
    "on the right": (0.75, None),
    "at the top": (None, 0.25),
    "at the bottom": (None, 0.75),
    "in the middle": (0.5, 0.5),
}
RELATIONS = ("left of", "right of", "above", "below")
_DIGIT_SHARE = 0.25
_MARGIN = 0.02
BREADTHS = (0.1, 0.25)  # radii between which things grow and shrink

T = TypeVar("T")


def pick(rng: Generator, options: tuple[T, ...] | list[T]) -> T:
    """Return one of `options` by lot."""
    return options[int(rng.integers(len(options)))]


def _kind(rng: Generator) -> str:
    return pick(rng, DIGITS if rng.random() < _DIGIT_SHARE else SHAPES)


def _around(rng: Generator, middle: float | None, radius: float, spread: float) -> float:
    low, high = radius + _MARGIN, 1 - radius - _MARGIN
    drawn = rng.uniform(low, high) if middle is None else middle + rng.uniform(-spread, spread)
    return float(min(max(drawn, low), high))


def thing(
    rng: Generator,
    kind: str,
    size: str,
    xy: tuple[float | None, float | None],
    motion: str = "",
    place: str = "",
    spread: float = 0.05,
) -> Thing:
    """Return a thing within `spread` of `xy` (None: anywhere on that axis) in a colour by lot."""
    radius = SIZES[size] * float(rng.uniform(0.94, 1.06))
    centre = (_around(rng, xy[0], radius, spread), _around(rng, xy[1], radius, spread))
    return Thing(kind, pick(rng, tuple(COLOURS)), size, centre, radius, motion=motion, place=place)


def background(rng: Generator) -> str:
    """Return a background by lot."""
    return pick(rng, tuple(BACKGROUNDS))


def one(rng: Generator) -> Scene:
    """One thing, half of the time at a named place."""
    place = pick(rng, tuple(PLACES)) if rng.random() < 0.5 else ""
    return Scene(
        background(rng),
        (thing(rng, _kind(rng), pick(rng, tuple(SIZES)), PLACES.get(place, (None, None)), place=place),),
    )


def moving(rng: Generator) -> Scene:
    """One moment of a clip: a shape that moves, grows, shrinks, spins or stands still, anywhere."""
    motion = pick(rng, (*MOTIONS, STILL))
    kinds = tuple(kind for kind in SHAPES if kind != "circle") if motion == "spinning" else SHAPES
    seen = thing(rng, pick(rng, kinds), "", (None, None), motion=motion)
    if motion in ("growing", "shrinking", "spinning"):
        seen = _posed(rng, seen)
    return Scene(background(rng), (seen,))


def _posed(rng: Generator, seen: Thing) -> Thing:
    if seen.motion == "spinning":
        return replace(seen, turn_deg=float(rng.uniform(0, 120)))
    return replace(
        seen, radius=float(rng.uniform(*BREADTHS)), centre_xy=(_around(rng, None, 0.25, 0), _around(rng, None, 0.25, 0))
    )


_CENTRES = {
    "left of": ((0.26, 0.5), (0.74, 0.5)),
    "right of": ((0.74, 0.5), (0.26, 0.5)),
    "above": ((0.5, 0.26), (0.5, 0.74)),
    "below": ((0.5, 0.74), (0.5, 0.26)),
}
_BESIDE = 0.03  # so little to either side that the two never touch


def two(rng: Generator) -> Scene:
    """Two things of different colour, one left of, right of, above or below the other."""
    relation = pick(rng, RELATIONS)
    first, second = (
        thing(rng, _kind(rng), pick(rng, ("", "", "small")), xy, spread=_BESIDE) for xy in _CENTRES[relation]
    )
    while second.colour == first.colour:
        second = replace(second, colour=pick(rng, tuple(COLOURS)))
    return Scene(background(rng), (first, second), relation)


def three(rng: Generator) -> Scene:
    """Three small things in a row, told from left to right."""
    things = [thing(rng, _kind(rng), "small", (x, 0.5), spread=0.01) for x in (0.18, 0.5, 0.82)]
    return Scene(background(rng), tuple(things), "in a row")


MIX = ((one, 0.40), (moving, 0.22), (two, 0.34), (three, 0.04))


def scene(rng: Generator, mix: tuple[tuple[object, float], ...] = MIX) -> Scene:
    """Return a scene of the training mix by lot."""
    kinds, shares = zip(*mix, strict=True)
    drawn: Scene = kinds[int(rng.choice(len(kinds), p=shares))](rng)
    return drawn
