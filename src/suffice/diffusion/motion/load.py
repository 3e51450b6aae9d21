"""Motion modules from a file in the original layout, or a folder in that of diffusers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.diffusion.motion.kind import MotionKind, kind_of, positions_of
from suffice.errors import ModelError, UsageError

if TYPE_CHECKING:
    import torch

_CORRECTED = ("frames", "norm_each_frame", "norm_over_frames", "scheduler")
_RENAMED = (
    (".temporal_attentions.", ".motion_modules."),
    (".temporal_transformer.", "."),
    (".attention_blocks.0.", ".attn1."),
    (".attention_blocks.1.", ".attn2."),
    (".norms.0.", ".norm1."),
    (".norms.1.", ".norm2."),
    (".ff_norm.", ".norm3."),
)


@dataclass(frozen=True)
class Motion:
    """A motion module ready to be put into a UNet.

    Attributes:
        where: where it is from, for messages.
        kind: how it was trained.
        adapter: diffusers' MotionAdapter with the weights.
    """

    where: str
    kind: MotionKind
    adapter: Any


def load_motion(path: Path, *, device: Any = "cpu", dtype: Any = None) -> Motion:
    """Load the motion module at `path`.

    A folder's ``config.json`` may correct what the keys tell: ``frames``, ``scheduler``, ``norm_each_frame``,
    ``norm_over_frames`` as in :class:`~suffice.diffusion.motion.kind.MotionKind`.

    Raises:
        UsageError: no motion module, or a pickle.
        ModelError: tensors are missing or of the wrong shape.
    """
    from safetensors.torch import load_file

    weights, config = _locate(path)
    state = load_file(weights)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    try:
        kind = kind_of(shapes)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    length = positions_of(shapes) or kind.frames_max
    adapter = _adapter(path, _renamed(state), length, config)
    adapter.requires_grad_(False).eval().to(device)
    if dtype is not None and dtype != adapter.dtype:
        adapter.to(dtype)
    corrections = {name: config[name] for name in _CORRECTED if name in config}
    return Motion(str(path), replace(kind, **{"frames_max": length, **corrections}), adapter)


def _locate(path: Path) -> tuple[Path, dict[str, Any]]:
    from suffice.models.roots import check_readable

    check_readable(str(path), path)
    if path.is_dir():
        weights = path / "diffusion_pytorch_model.safetensors"
        config = dict(json.loads((path / "config.json").read_text("utf-8")))
    else:
        weights, config = path, {}
    if weights.suffix != ".safetensors":
        raise UsageError(f"{path}: only .safetensors files are read (a pickle can run code when it is loaded)")
    if not weights.is_file():
        raise UsageError(f"there is no motion module at {weights}")
    return weights, config


def _renamed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    names = {key: reduce(lambda name, pair: name.replace(*pair), _RENAMED, key) for key in state}
    # Positions are sinusoids: made, not stored.
    return {new: state[old] for old, new in names.items() if ".pos_encoder." not in new and ".pos_embed." not in new}


def _adapter(path: Path, state: Mapping[str, torch.Tensor], length: int, config: Mapping[str, Any]) -> Any:
    from diffusers import MotionAdapter

    adapter = MotionAdapter.from_config({**_shape_of(state), **_known(config), "motion_max_seq_length": length})
    missing, unexpected = adapter.load_state_dict(dict(state), strict=False)
    missing = [key for key in missing if ".pos_embed." not in key]
    if missing or unexpected:
        problem = f"lacks {missing[0]!r}" if missing else f"has {unexpected[0]!r}, which no such module has"
        raise ModelError(f"{path} {problem}")
    return adapter


def _known(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key.startswith(("motion_", "block_out", "use_motion"))}


def _shape_of(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """What a MotionAdapter must be like to hold these tensors."""
    norms = {key: len(value) for key, value in state.items() if key.endswith("motion_modules.0.norm.weight")}
    widths = [norms[key] for key in sorted(norms) if key.startswith("down_blocks.")]
    first = [
        key for key in state if key.startswith("down_blocks.0.motion_modules.") and key.endswith(".proj_in.weight")
    ]
    return {
        "block_out_channels": tuple(widths),
        "motion_layers_per_block": len(first),
        "use_motion_mid_block": any(key.startswith("mid_block.") for key in state),
    }
