"""Controls from the settings: which ControlNet, which hints, how strong at each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.diffusion.clip.source import open_source
from suffice.diffusion.conditions import values_of
from suffice.diffusion.control.annotate.aux import PREFIX as AUX
from suffice.diffusion.control.controlnet import ControlNet
from suffice.diffusion.control.hints import ANNOTATORS, annotator_named, make_hints
from suffice.diffusion.control.make_sparse import SPARSE, make_sparse
from suffice.diffusion.timeline.track import constant
from suffice.errors import ModelError, UsageError, nearest

if TYPE_CHECKING:
    from suffice.diffusion.canvas import Canvas
    from suffice.diffusion.load import Parts
    from suffice.diffusion.predict import Control
    from suffice.diffusion.settings import Settings
    from suffice.diffusion.timeline.parse import Timeline


@dataclass(frozen=True)
class ControlSpec:
    """A control as the user wrote it: ``KIND:SOURCE`` or ``KIND:SOURCE=STRENGTH``."""

    kind: str
    source: str
    strength: float


def read_spec(text: str) -> ControlSpec:
    """Read a control; raises :class:`UsageError` when it is not one."""
    kind, found, rest = text.partition(":")
    source, strength = split_weight(rest)
    if not found or not source:
        raise UsageError(f"control {text!r} is not KIND:SOURCE")
    known = (*ANNOTATORS, SPARSE)
    if kind not in known and not kind.startswith(AUX):
        raise UsageError(f"there is no control {kind!r}{nearest(kind, known)}; there are {', '.join(known)}")
    return ControlSpec(kind, source, strength)


def split_weight(text: str) -> tuple[str, float]:
    """``NAME=NUMBER`` as both; without a number it is 1."""
    name, found, number = text.rpartition("=")
    try:
        return (name, float(number)) if found else (text, 1.0)
    except ValueError:
        return text, 1.0


def make_controls(settings: Settings, timeline: Timeline, parts: Parts, canvas: Canvas) -> list[Control]:
    """The ControlNets of `settings` with their hints."""
    controls: list[Control] = []
    for spec in map(read_spec, settings.control):
        strengths = values_of(timeline.controls.get(spec.kind, constant(spec.strength)), timeline)
        if spec.kind == SPARSE:
            controls.append(make_sparse(_place(settings, SPARSE, parts), spec.source, parts, canvas.view, strengths))
        else:
            hints = make_hints(open_source(spec.source), annotator_named(spec.kind), settings.frames, canvas.view)
            controls.append(ControlNet(_load(settings, spec.kind, parts), hints.window, strengths))
    _check_names(timeline.controls, [read_spec(text).kind for text in settings.control], "control")
    return controls


def _check_names(named: Any, known: Sequence[str], what: str) -> None:
    for name in named:
        if name not in known:
            raise UsageError(f"the timeline has {what} {name!r}, but the clip has no such {what}{nearest(name, known)}")


def _load(settings: Settings, kind: str, parts: Parts) -> Any:
    from diffusers import ControlNetModel

    place = _place(settings, kind, parts)
    try:
        net = ControlNetModel.from_pretrained(place, use_safetensors=True, torch_dtype=parts.unet.dtype)
    except (OSError, ValueError) as error:
        raise ModelError(f"the ControlNet {place} cannot be loaded: {' '.join(str(error).split())[:300]}") from None
    if tuple(net.config.block_out_channels) != tuple(parts.unet.config.block_out_channels):
        own, wanted = net.config.block_out_channels, parts.unet.config.block_out_channels
        raise UsageError(f"the ControlNet {place} has blocks of {tuple(own)} channels, the UNet {tuple(wanted)}")
    return net.requires_grad_(False).eval().to(parts.device)


def _place(settings: Settings, kind: str, parts: Parts) -> str:
    named = dict(text.partition("=")[::2] for text in settings.controlnets)
    if kind in named:
        path = Path(named[kind]).expanduser()
        if path.exists():
            from suffice.models.roots import check_readable

            check_readable(named[kind], path)
        return str(path) if path.exists() else named[kind]
    own = [name for name in parts.names() if name.startswith("controlnet")]
    fitting = [name for name in own if name.removeprefix("controlnet_").rstrip("s") == kind.rstrip("s")]
    if kind == "canny":
        fitting += [name for name in own if name == "controlnet_edge"]
    if not fitting:
        raise UsageError(
            f"{parts.where} has no ControlNet for {kind!r} ({', '.join(own) or 'none at all'}): "
            f"name one with --controlnet {kind}=PATH_OR_ID"
        )
    return str(parts.folder / fitting[0])
