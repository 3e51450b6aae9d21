"""LoRA files of any layout, hung onto the layers they belong to for as long as a block lasts.

Weights are never merged, so that a LoRA may count differently at every frame, and leaves nothing behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.errors import ModelError, UsageError

if TYPE_CHECKING:
    import torch

_PAIR = re.compile(r"(.+?)(?:_lora\.|\.lora_|\.lora\.|\.)(down|up|A|B)(?:\.default)?\.weight")
_SIDES = {"down": "down", "A": "down", "up": "up", "B": "up"}
_FLAT_RENAMED = (
    ("_temporal_transformer_", "_"),
    ("_attention_blocks_0_", "_attn1_"),
    ("_attention_blocks_1_", "_attn2_"),
    ("_processor_", "_"),
)
_PREFIXES = (
    "lora_unet_",
    "lora_te1_",
    "lora_te2_",
    "lora_te_",
    "unet_",
    "text_encoder_2_",
    "text_encoder_",
    "base_model_model_",
)


@dataclass
class Weight:
    """How much a LoRA counts now: `values` has a number for each frame of the window."""

    values: Sequence[float] = (1.0,)

    def scale(self, states: torch.Tensor, *, temporal: bool) -> Any:
        """What to multiply by, shaped for `states`: frames along the batch, or, in motion layers, along the middle."""
        import torch

        if len(set(self.values)) == 1:
            return self.values[0]
        numbers = torch.tensor(self.values, dtype=states.dtype, device=states.device)
        if temporal:
            return numbers[None, :, None]
        clips = states.shape[0] // len(numbers)
        return numbers.repeat(clips).reshape(-1, *[1] * (states.dim() - 1))


@dataclass(frozen=True)
class LowRank:
    """One layer's change: ``up @ down * scale``."""

    down: torch.Tensor
    up: torch.Tensor
    scale: float


@dataclass(frozen=True)
class Lora:
    """A LoRA: the change of each layer by its flattened name, with a prefix for what it belongs to."""

    name: str
    layers: Mapping[str, LowRank]
    weight: Weight = field(default_factory=Weight)


def load_lora(path: Path, name: str | None = None, *, device: Any = "cpu", dtype: Any = None) -> Lora:
    """Read a LoRA in the layout of diffusers, peft, kohya or AnimateDiff.

    Args:
        path: a ``.safetensors`` file, or a folder with one.
        name: what timelines call it; by default the name of the file or folder.

    Raises:
        UsageError: no such file, or a pickle.
        ModelError: the file has no LoRA layer.
    """
    from safetensors import safe_open

    file_path = _file(path)
    with safe_open(file_path, "pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = json.loads((file.metadata() or {}).get("lora_adapter_metadata", "{}"))
    sides: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        if match := _PAIR.fullmatch(key):
            sides.setdefault(match[1], {})[_SIDES[match[2]]] = value.to(device=device, dtype=dtype)
    layers = {
        flat_name(key): LowRank(pair["down"], pair["up"], _scale(state, metadata, key, len(pair["down"])))
        for key, pair in sides.items()
        if len(pair) == 2
    }
    if not layers:
        raise ModelError(f"{path} has no LoRA layer")
    return Lora(name or path.stem, layers)


def _file(path: Path) -> Path:
    from suffice.models.roots import check_readable

    check_readable(str(path), path)
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not found or not found[0].is_file():
        raise UsageError(f"there is no LoRA at {path}")
    if found[0].suffix != ".safetensors":
        raise UsageError(f"{path}: only .safetensors files are read (a pickle can run code when it is loaded)")
    return found[0]


def _scale(state: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], key: str, rank: int) -> float:
    alpha = state.get(f"{key}.alpha")
    if alpha is not None:
        return float(alpha) / rank
    side = key.split(".")[0]
    stated = metadata.get(f"{side}.lora_alpha", metadata.get("lora_alpha"))
    return 1.0 if stated is None else float(stated) / rank


def flat_name(key: str) -> str:
    """A layer's name whichever layout it is written in: dots as underscores, no prefix, as diffusers calls it."""
    flat = key.replace(".", "_")
    side = "te" if flat.startswith(("lora_te", "text_encoder")) else ""
    for prefix in _PREFIXES:
        flat = flat.removeprefix(prefix)
    for old, new in _FLAT_RENAMED:
        flat = flat.replace(old, new)
    flat = re.sub(r"_to_out$", "_to_out_0", flat)
    return f"{side}:{flat}" if side else flat


def layer_names(modules: Sequence[Any], side: str = "") -> dict[str, Any]:
    """Linear and convolution layers of `modules` by flattened name."""
    import torch

    prefix = f"{side}:" if side else ""
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return {
        prefix + name.replace(".", "_"): layer
        for module in modules
        for name, layer in module.named_modules()
        if isinstance(layer, kinds)
    }


@contextmanager
def attached(loras: Sequence[Lora], layers: Mapping[str, Any]) -> Iterator[None]:
    """`loras` on the `layers` they name; those they name elsewhere are left out.

    Raises:
        UsageError: a LoRA names none of the layers: it belongs to another family.
    """
    handles: list[Any] = []
    try:
        for lora in loras:
            shared = lora.layers.keys() & layers.keys()
            if not shared:
                example = next(iter(lora.layers))
                raise UsageError(f"the LoRA {lora.name!r} has no layer of this model (it has, for one, {example!r})")
            handles += [_hang(layers[name], lora.layers[name], lora, name) for name in sorted(shared)]
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hang(layer: Any, change: LowRank, lora: Lora, name: str) -> Any:
    if change.down.shape[1] != layer.weight.shape[1] or change.up.shape[0] != layer.weight.shape[0]:
        raise UsageError(f"the LoRA {lora.name!r} is of another shape at {name!r}: it belongs to another family")
    temporal = "motion_modules" in name

    def after(module: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        added = _apply(module, change, inputs[0])
        return output + added * (change.scale * lora.weight.scale(added, temporal=temporal))

    return layer.register_forward_hook(after)


def _apply(layer: Any, change: LowRank, states: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    down, up = change.down.to(states.dtype), change.up.to(states.dtype)
    if layer.weight.dim() == 2:
        return functional.linear(functional.linear(states, down.flatten(1)), up.flatten(1))
    if down.dim() == 2:
        down, up = down[:, :, None, None], up[:, :, None, None]
    hidden = functional.conv2d(states, down, stride=layer.stride, padding=layer.padding, dilation=layer.dilation)
    return functional.conv2d(hidden, up)
