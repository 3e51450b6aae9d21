"""Requests as sd-webui-animatediff's users send them, read as our settings.

The body is that of ``/sdapi/v1/txt2img`` or ``img2img`` with ``alwayson_scripts.AnimateDiff.args[0]``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suffice.diffusion.settings import Settings, settings_from
from suffice.errors import UsageError, nearest

_SAMPLERS = {
    "ddim": "ddim",
    "ddpm": "ddpm",
    "euler": "euler",
    "euler a": "euler-a",
    "heun": "heun",
    "lcm": "lcm",
    "lms": "lms",
    "dpm++ 2m": "dpm++",
    "dpm++ 2m karras": "dpm++-karras",
    "dpm++ 2m sde": "dpm++-sde",
    "unipc": "unipc",
}
_OF_BODY = {
    "prompt": "timeline",
    "negative_prompt": "negative",
    "steps": "steps",
    "cfg_scale": "guidance",
    "width": "width",
    "height": "height",
    "seed": "seed",
    "denoising_strength": "strength",
}
_OF_CLIP = {
    "fps": "fps",
    "closed_loop": "loop",
    "stride": "stride",
    "overlap": "overlap",
    "batch_size": "context",
    "latent_power": "init_power",
    "latent_scale": "init_scale",
    "mask_path": "mask",
    "video_path": "init",
    "freeinit_filter": "freeinit_filter",
}
_OTHER = (
    "model",
    "enable",
    "format",
    "video_length",
    "loop_number",
    "interp",
    "interp_x",
    "video_source",
    "freeinit_enable",
    "freeinit_ds",
    "freeinit_dt",
    "freeinit_iters",
    "last_frame",
    "latent_power_last",
    "latent_scale_last",
    "request_id",
)
_SUFFIXES = {"GIF": ".gif", "MP4": ".mp4", "WEBP": ".webp", "WEBM": ".webm", "PNG": "", "FRAME": ""}


@dataclass(frozen=True)
class Request:
    """What was asked: settings, and the suffixes of the files to return."""

    settings: Settings
    suffixes: tuple[str, ...]


def read_request(body: Mapping[str, Any], folder: Path, motion: Callable[[str], str | None] | None = None) -> Request:
    """Read a request.

    Args:
        body: as sent.
        folder: where pictures sent as base64 are put, under their hash.
        motion: where the motion module of that file name is; None for the checkpoint's own.

    Raises:
        UsageError: an unknown argument or sampler, with the nearest one, or a picture that is not base64.
    """
    clip = _clip_arguments(body)
    values: dict[str, Any] = {ours: body[theirs] for theirs, ours in _OF_BODY.items() if body.get(theirs) is not None}
    values |= {ours: clip[theirs] for theirs, ours in _OF_CLIP.items() if clip.get(theirs) not in (None, "")}
    values |= _sampler(body) | _length(clip) | _pictures(body, clip, folder) | _motion(clip, motion)
    if values.get("seed", 0) < 0:
        raise UsageError("a seed must be said: -1 would make a clip that nobody can make again")
    if "timeline" in values:
        values["timeline"] = str(values["timeline"]).strip()
    return Request(settings_from(values), _suffixes(clip))


def _clip_arguments(body: Mapping[str, Any]) -> dict[str, Any]:
    scripts = {name.lower(): script for name, script in (body.get("alwayson_scripts") or {}).items()}
    arguments = (scripts.get("animatediff") or {}).get("args") or [{}]
    found = arguments[0] if isinstance(arguments, list) else arguments
    if not isinstance(found, Mapping):
        raise UsageError("AnimateDiff.args[0] is not an object")
    known = (*_OF_CLIP, *_OTHER)
    for name in found:
        if name not in known:
            raise UsageError(f"AnimateDiff has no argument {name!r}{nearest(name, known)}")
    return dict(found)


def _sampler(body: Mapping[str, Any]) -> dict[str, Any]:
    name = str(body.get("sampler_name") or "").lower()
    if name and name not in _SAMPLERS:
        raise UsageError(f"there is no sampler {name!r}{nearest(name, _SAMPLERS)}")
    return {"scheduler": _SAMPLERS[name]} if name else {}


def _length(clip: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"frames": int(clip.get("video_length") or 16) if clip.get("enable") else 1}
    if clip.get("interp", "Off") != "Off":
        found["interpolate"] = int(clip.get("interp_x") or 10)
    if clip.get("freeinit_enable"):
        found["freeinit"] = int(clip.get("freeinit_iters") or 3)
    return found


def _pictures(body: Mapping[str, Any], clip: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    sent = {"init": (body.get("init_images") or [None])[0], "mask": body.get("mask"), "last": clip.get("last_frame")}
    return {name: _save(text, name, folder) for name, text in sent.items() if text}


def _save(text: str, name: str, folder: Path) -> str:
    try:
        data = base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} is not a picture in base64") from None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.blake2b(data, digest_size=16).hexdigest()}.png"
    path.write_bytes(data)
    return str(path)


def _motion(clip: Mapping[str, Any], motion: Callable[[str], str | None] | None) -> dict[str, Any]:
    place = motion(str(clip["model"])) if motion and clip.get("model") else None
    return {"motion": place} if place else {}


def _suffixes(clip: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = clip.get("format") or ["GIF"]
    names = [str(name).upper() for name in ([wanted] if isinstance(wanted, str) else wanted)]
    unknown = [name for name in names if name not in (*_SUFFIXES, "TXT")]
    if unknown:
        raise UsageError(f"there is no format {unknown[0]!r}{nearest(unknown[0], _SUFFIXES)}")
    return tuple(dict.fromkeys(_SUFFIXES[name] for name in names if name in _SUFFIXES))
