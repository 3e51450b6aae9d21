"""How closely the default segmenter looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from suffice.errors import UsageError, nearest


@dataclass(frozen=True)
class Effort:
    """The size of a view, and how its pixels are divided.

    Attributes:
        side_px: longer side at which a view is looked at.
        starts: divisions of each kind, from other random starts.
        groups: into how many groups each look is divided: few see the whole, many see the small.
    """

    name: str
    side_px: int
    starts: int
    groups: Mapping[str, tuple[int, ...]]


FULL = Effort(
    "full",
    144,
    2,
    {
        "colour": (12, 40),
        "colour_place": (12, 40),
        "edge": (12, 40),
        "texture": (12, 40),
        "part": (12,),
        "thing": (12,),
        "all": (12, 40),
    },
)
FAST = Effort(
    "fast",
    96,
    1,
    {"colour": (12, 40), "colour_place": (20,), "edge": (20,), "texture": (20,), "part": (12,), "all": (12, 40)},
)
"""For video: a quarter of the time, a little less overlap."""

EFFORTS = {effort.name: effort for effort in (FULL, FAST)}


def effort_named(name: str) -> Effort:
    """Raises :class:`UsageError` for a name that is none."""
    if name not in EFFORTS:
        known = nearest(name, EFFORTS) or f"; there are {', '.join(EFFORTS)}"
        raise UsageError(f"the default segmenter has no effort {name!r}{known}")
    return EFFORTS[name]
