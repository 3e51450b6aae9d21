"""What a chapter gets and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suffice.connection import Connection
    from suffice.models.protocol import Image


@dataclass
class Trip:
    """What the chapters share, in the order they fill it in.

    Attributes:
        out: the folder everything is left in.
        is_quick: less of everything, to see that it works.
        moment_s: the most crowded second that was found.
        tracks: the file with the masks of every frame.
        run: the folder of the trained model.
    """

    con: Connection
    out: Path
    is_quick: bool
    moment_s: float = 0.0
    tracks: Path = Path()
    run: Path = Path()

    @property
    def clip(self) -> str:
        """The street video."""
        from suffice.assets import asset_path

        return str(asset_path("pedestrians.mp4"))


@dataclass(frozen=True)
class Figure:
    """A picture (pixels) or a chart (SVG), and what it shows; a wide one gets more room."""

    shows: Image | str
    caption: str
    is_wide: bool = False


@dataclass(frozen=True)
class Chapter:
    """One stage of the loop, told.

    Attributes:
        asked: the statement or command, as one would write it.
        told: a paragraph.
        left_out: what was not computed, in one line.
        sure: how far the answer can be trusted, in one line.
        facts: the same as numbers, for programs.
    """

    title: str
    asked: str
    told: str
    left_out: str
    sure: str
    facts: Mapping[str, Any]
    figures: Sequence[Figure] = ()
    seconds: float = field(default=0.0, compare=False)
