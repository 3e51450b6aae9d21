"""What one drawn picture holds, as data: every thing with its shape, colour, size and place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KINDS = SHAPES + DIGITS

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 35, 40),
    "orange": (250, 145, 20),
    "yellow": (250, 230, 50),
    "green": (40, 175, 60),
    "cyan": (60, 220, 225),
    "blue": (45, 80, 230),
    "purple": (150, 60, 200),
    "white": (245, 245, 245),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "black": (15, 15, 15),
    "gray": (120, 120, 125),
    "brown": (110, 70, 40),
    "navy": (20, 25, 85),
    "beige": (215, 195, 160),
}
SIZES = {"small": 0.14, "": 0.185, "large": 0.25}  # radius, as a share of the picture's side
MOTIONS = ("moving left", "moving right", "moving up", "moving down", "growing", "shrinking", "spinning")
STILL = "standing still"


@dataclass(frozen=True)
class Thing:
    """One drawn thing. `centre_xy` and `radius` are shares of the picture's side; `turn_deg` is clockwise."""

    kind: str
    colour: str
    size: str
    centre_xy: tuple[float, float]
    radius: float
    turn_deg: float = 0.0
    motion: str = ""
    place: str = ""


@dataclass(frozen=True)
class Scene:
    """Things on a plain ground. `relation` says how two things lie to each other, or how a caption says it."""

    background: str
    things: tuple[Thing, ...] = field(default_factory=tuple)
    relation: str = ""

    def with_things(self, *things: Thing) -> Scene:
        """Return the same scene holding `things` instead."""
        return replace(self, things=things)
