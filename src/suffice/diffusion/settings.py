"""Everything that a clip depends on, as one value: written into its file, and read back from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from suffice.errors import UsageError, nearest


@dataclass(frozen=True)
class Settings:
    """What to make, and how.

    Attributes:
        model: ``pocket``, a folder, a file, or a hub id.
        timeline: prompts and all that changes over frames (:mod:`suffice.diffusion.timeline.parse`).
        negative: negative prompt where the timeline has none.
        frames: of the clip; 1 for a picture.
        width, height: in pixels; 0 for the checkpoint's own.
        fps: of the clip as it is played.
        steps: of the scheduler.
        guidance: strength of the prompt; 1 for none.
        rescale: 0 to 1, against burnt-out colours.
        scheduler: short name or class of diffusers; empty for the checkpoint's own.
        seed: of all noise.
        clip_skip: layers of the text encoder to leave out.
        context: frames of a window; 0 for what the motion module was trained with.
        overlap: frames that windows share; -1 for a quarter of the window.
        stride: exponents of distances in windows.
        windows: uniform, static, batched or looped.
        blend: flat, pyramid or relative.
        loop: N, R-P, R+P or A.
        noise: random, freenoise or repeat.
        freeinit: passes of FreeInit; 1 for none.
        freeinit_filter: butterworth, gaussian, ideal or box.
        motion: ``auto``: the checkpoint's own where the clip has more than a frame; ``none``; or a file or folder.
        loras: ``PATH`` or ``PATH=WEIGHT``; motion LoRAs too. A name without a folder is looked for in the checkpoint.
        control: ``KIND:SOURCE`` or ``KIND:SOURCE=STRENGTH``.
        controlnets: ``KIND=PATH_OR_ID`` where the checkpoint has none of that kind.
        init: picture or clip to start from.
        last: picture to end on.
        init_power, init_scale: a still's share in frame i is ``1 - i^power / scale``.
        strength: share of the steps that are taken from `init`; 0 for the usual: 1 with a mask, else 0.75.
        mask: what is painted (:func:`suffice.diffusion.masked.source.open_masks`).
        only_masked: paint the part around the mask, enlarged to the checkpoint's size.
        padding_px: around the mask for `only_masked`.
        feather_px: soft edge inside the mask.
        inpaint: ``auto``: a UNet with mask channels where the checkpoint has one; ``blend``: never.
        regions: ``MASK:PROMPT``, prompts for parts of the picture.
        ip_adapter: file or folder of an IP-Adapter; its pictures are in the timeline (``image:``).
        interpolate: frames for each frame.
        interpolator: what draws them: ``flow``, ``onnx:FILE``, or anyone's.
        storage: ``float8`` to hold weights in 8 bits; empty for the type they compute in.
        split: one prompt a call: slower, less memory.
        deep_every: the deep blocks of the UNet run in every so many steps (DeepCache); 1 for all.
    """

    model: str = "pocket"
    timeline: str = ""
    negative: str = ""
    frames: int = 16
    width: int = 0
    height: int = 0
    fps: float = 8.0
    steps: int = 20
    guidance: float = 7.5
    rescale: float = 0.0
    scheduler: str = ""
    seed: int = 0
    clip_skip: int = 0
    context: int = 0
    overlap: int = -1
    stride: int = 1
    windows: str = "uniform"
    blend: str = "pyramid"
    loop: str = "N"
    noise: str = "random"
    freeinit: int = 1
    freeinit_filter: str = "butterworth"
    motion: str = "auto"
    loras: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    controlnets: tuple[str, ...] = ()
    init: str = ""
    last: str = ""
    init_power: float = 1.0
    init_scale: float = 32.0
    strength: float = 0.0
    mask: str = ""
    only_masked: bool = False
    padding_px: int = 16
    feather_px: float = 0.0
    inpaint: str = "auto"
    regions: tuple[str, ...] = ()
    ip_adapter: str = ""
    interpolate: int = 1
    interpolator: str = "flow"
    storage: str = ""
    split: bool = False
    deep_every: int = 1

    def __post_init__(self) -> None:
        for name, least in (
            ("frames", 1),
            ("steps", 1),
            ("interpolate", 1),
            ("freeinit", 1),
            ("deep_every", 1),
            ("width", 0),
        ):
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not 0 <= self.strength <= 1:
            raise UsageError(f"strength must be from 0 to 1, not {self.strength}")
        if self.fps <= 0:
            raise UsageError(f"fps must be above 0, not {self.fps:g}")

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


NAMES = tuple(field.name for field in fields(Settings))


def settings_from(values: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """`base` with `values`; raises :class:`UsageError` for a name that is no setting, with the nearest one."""
    unknown = [name for name in values if name not in NAMES]
    if unknown:
        raise UsageError(f"there is no setting {unknown[0]!r}{nearest(unknown[0], NAMES)}")
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return replace(base or Settings(), **plain)
