"""Any scheduler of diffusers by a short name, on the noise that the checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suffice.errors import UsageError, nearest

SHORT: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {}),
    "dpm++-karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "dpm++-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def make_scheduler(base: Any, name: str | None, changes: Mapping[str, Any] | None = None) -> Any:
    """A fresh scheduler of the kind `name` with the noise schedule of `base`, changed by `changes`.

    Args:
        base: the checkpoint's scheduler; never changed.
        name: a key of :data:`SHORT` or a class of diffusers; None for the checkpoint's own kind.
        changes: configuration that a motion module asks for, such as its own betas.

    Raises:
        UsageError: an unknown name, with the nearest one.
    """
    import diffusers

    kind, own = (type(base).__name__, dict[str, Any]()) if name is None else SHORT.get(name.lower(), (name, {}))
    if kind not in _names():
        known = [*SHORT, *_names()]
        raise UsageError(f"there is no scheduler {name!r}{nearest(str(name), known)}; short names: {', '.join(SHORT)}")
    config = {**base.config, **(changes or {}), **own}
    return getattr(diffusers, kind).from_config(config)


def _names() -> list[str]:
    import diffusers

    return [each for each in dir(diffusers) if each.endswith("Scheduler")]
