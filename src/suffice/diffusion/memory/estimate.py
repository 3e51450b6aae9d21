"""How much memory a clip will take at its peak, found by running one call of the UNet on tensors without contents."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from suffice.diffusion.vae import CHUNK
from suffice.errors import UsageError

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.load import Parts

_SPARE = 1.1


def activation_bytes(
    unet: Any, sides: int, frames: int, height: int, width: int, tokens: int = 77, device: torch.device | None = None
) -> int:
    """Peak bytes of everything one call of `unet` makes, with whatever is injected into it.

    Nothing is computed: shapes go through the very modules that will run, and what is alive is added up.

    Args:
        unet: with its hooks.
        sides: prompts in one call.
        frames: of a window.
        height, width: of the latents.
        tokens: of a prompt.
        device: where it computes, when not where its weights lie.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    count = sides * frames
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        like = {"dtype": unet.dtype, "device": device or next(unet.parameters()).device}
        latents = torch.empty(count, unet.config.in_channels, height, width, **like)
        states = torch.empty(count, tokens, unet.config.cross_attention_dim, **like)
        added = _added(unet, count, like)
        with count_alive() as alive:
            unet(latents, torch.empty((), dtype=torch.int64), encoder_hidden_states=states, added_cond_kwargs=added)
    return int(alive.peak)


def rough_bytes(unet: Any, count: int, height: int, width: int) -> int:
    """More than :func:`activation_bytes` says for the UNets of Stable Diffusion, at no cost: for each point of the
    latents of `count` frames 64 times the first block's channels."""
    return 64 * count * height * width * int(unet.config.block_out_channels[0]) * int(unet.dtype.itemsize)


def _added(unet: Any, count: int, like: dict[str, Any]) -> dict[str, Any]:
    import torch

    if unet.config.get("addition_embed_type") != "text_time":
        return {}
    pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
    return {
        "text_embeds": torch.empty(count, pooled, **like),
        "time_ids": torch.empty(count, 6, **like),
    }


def count_alive() -> Any:
    """A mode in which every new storage is counted for as long as somebody holds it."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Alive(TorchDispatchMode):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.now = self.peak = 0
            self.known: set[int] = set()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(out):
                if hasattr(leaf, "untyped_storage"):
                    self._add(leaf.untyped_storage())
            return out

        def _add(self, storage: Any) -> None:
            key = storage._cdata
            if key in self.known:
                return
            self.known.add(key)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, key, storage.nbytes())

        def _drop(self, key: int, size: int) -> None:
            self.known.discard(key)
            self.now -= size

    return Alive()


def vae_bytes(parts: Parts, height: int, width: int) -> int:
    """Peak bytes of decoding frames: the last level has its channels at full size, about four times.

    In tiles, it is one of them at a time.
    """
    channels = parts.vae.config.block_out_channels
    widest = max(channels[0] * 2, channels[1] if len(channels) > 1 else channels[0])
    pixels = CHUNK * height * width
    if parts.vae.use_tiling:
        pixels = min(height, side := int(parts.vae.tile_sample_min_size)) * min(width, side)
    return int(4 * widest * pixels * parts.vae.dtype.itemsize)


def available_bytes(device: Any) -> int:
    """Memory that is free now on `device`."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    for line in _meminfo():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 1 << 62


def _meminfo() -> list[str]:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return file.readlines()
    except OSError:
        return []


def refuse_if_too_large(wanted: int, free: int, how_to_less: str) -> None:
    """Raise :class:`UsageError` with both numbers when `wanted` bytes, and a little more, are not free."""
    if wanted * _SPARE > free:
        raise UsageError(
            f"this clip takes about {wanted / 2**30:.2f} GiB at its peak, "
            f"and {free / 2**30:.2f} GiB are free: {how_to_less}"
        )
