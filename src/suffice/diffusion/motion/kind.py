"""Which kind of motion module a file holds, told by its keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from suffice.errors import UsageError

Family = Literal["sd15", "sdxl"]
_WIDTH = re.compile(
    r"down_blocks\.(\d+)\.(?:motion_modules|temporal_attentions)\.0\.(?:temporal_transformer\.)?norm\.weight"
)
_WIDTHS = (320, 640, 1280, 1280)


@dataclass(frozen=True)
class MotionKind:
    """A kind of motion module and how it was trained.

    Attributes:
        name: as in messages.
        family: of the UNets it fits; None for a module of somebody's own making, which may be of either.
        frames: of a window in training, and at most.
        frames_max: positions it knows.
        scheduler: what its noise schedule changes in the checkpoint's.
        norm_each_frame: whether the module's own first norm saw each frame alone (AnimateDiff's code) or all
            frames of a window together (diffusers' code).
        norm_over_frames: whether the UNet's own group norms saw all frames of a clip as one when it was trained.
    """

    name: str
    family: Family | None
    frames: int
    frames_max: int
    scheduler: Mapping[str, Any]
    norm_over_frames: bool = False
    norm_each_frame: bool = True


_LINEAR = {"beta_schedule": "linear", "beta_start": 0.00085, "beta_end": 0.012}
_XL = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.020}

V1 = MotionKind("AnimateDiff v1", "sd15", 16, 24, _LINEAR, norm_over_frames=True)
V2 = MotionKind("AnimateDiff v2", "sd15", 16, 32, _LINEAR)
V3 = MotionKind("AnimateDiff v3", "sd15", 16, 32, _LINEAR)
LCM = MotionKind("AnimateLCM", "sd15", 16, 64, _LINEAR)
XL = MotionKind("AnimateDiff SDXL", "sdxl", 16, 32, _XL)
OWN = MotionKind("a module of its own kind", None, 16, 32, {}, norm_each_frame=False)
HOTSHOT = MotionKind("HotShot-XL", "sdxl", 8, 24, {}, norm_over_frames=True)


def kind_of(shapes: Mapping[str, tuple[int, ...]]) -> MotionKind:
    """The kind of a motion module with these keys, in the original layout or that of diffusers.

    Args:
        shapes: of every tensor by its key.

    Raises:
        UsageError: the keys are not those of a motion module.
    """
    if not any(".motion_modules." in key or ".temporal_attentions." in key for key in shapes):
        raise UsageError(f"this is no motion module: it has {_some(shapes)}")
    widths = tuple(shapes[m.string][0] for m in sorted(filter(None, map(_WIDTH.fullmatch, shapes)), key=lambda m: m[1]))
    if widths not in (_WIDTHS, _WIDTHS[:3]):
        return OWN
    mid = any(key.startswith("mid_block.") for key in shapes)
    positions = positions_of(shapes)
    if len(widths) == 3:
        return HOTSHOT if positions == HOTSHOT.frames_max else XL
    if mid:
        return LCM if positions is None else V2
    return V3 if positions == V3.frames_max else V1


def positions_of(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """How many frames its position table is long, or None when it has none."""
    tables = [shape for key, shape in shapes.items() if key.endswith((".pe", ".positional_encoding"))]
    return tables[0][-2] if tables else None


def _some(keys: Iterable[str]) -> str:
    shown = sorted(keys)[:2]
    return f"keys such as {', '.join(map(repr, shown))}" if shown else "no tensor"
