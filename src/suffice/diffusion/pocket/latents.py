"""Scenes as the UNet sees them: clean latents and text states, computed once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.data import as_pixels, scenes
from suffice.diffusion.pocket.scene import SHAPES, Scene

COUNT, SEED, _AT_ONCE = 30000, 31, 100


@dataclass(frozen=True)
class Latents:
    """`clean` [n, 4, 16, 16] and `states` [n, 77, 96] in half precision; `nothing` is the empty caption's state."""

    clean: Any
    states: Any
    nothing: Any
    singles: Any


def encode(vae: Any, told: list[Scene]) -> Any:
    """Return the scenes' latents, half precision [n, 4, 16, 16]."""
    import torch

    with torch.no_grad():
        return vae.encode(as_pixels(told).float()).latent_dist.mean.half()


def read(encoder: Any, tokenize: Any, captions: list[str]) -> Any:
    """Return the captions' text states, half precision [n, 77, 96]."""
    import torch

    with torch.no_grad():
        return encoder(tokenize(captions)).last_hidden_state.half()


def _is_easy(told: Scene) -> bool:
    return len(told.things) == 1 and told.things[0].kind in SHAPES


def _make(folder: Path) -> dict[str, Any]:
    import torch

    from suffice.diffusion.pocket.trained import text_encoder, vae

    eyes, (encoder, tokenize) = vae(folder), text_encoder(folder)
    told = scenes(COUNT, SEED)
    clean, states = [], []
    for first in range(0, COUNT, _AT_ONCE):
        some = told[first : first + _AT_ONCE]
        clean.append(encode(eyes, some))
        states.append(read(encoder, tokenize, [caption(one) for one in some]))
    singles = torch.tensor([n for n, one in enumerate(told) if _is_easy(one)])
    nothing = read(encoder, tokenize, [""])[0]
    return {"clean": torch.cat(clean), "states": torch.cat(states), "nothing": nothing, "singles": singles}


def is_stale(path: Path) -> bool:
    """Return whether `path` is lacking, or older than the encoders beside it that it was made with."""
    if not path.exists():
        return True
    encoders = [path.parent / f"{stage}.pt" for stage in ("vae", "text")]
    return any(one.exists() and one.stat().st_mtime > path.stat().st_mtime for one in encoders)


def from_disk(path: Path) -> dict[str, Any]:
    """Return what is kept in `path` on torch's default device: on a GPU in its memory, else mapped from the disk."""
    import torch

    kept: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    return {name: tensor.to(torch.get_default_device()) for name, tensor in kept.items()}


def load_latents(folder: Path) -> Latents:
    """Return the training latents, made on the first call and kept in `folder/latents.pt`."""
    import torch

    path = folder / "latents.pt"
    if is_stale(path):
        torch.save(_make(folder), path)
    kept = from_disk(path)
    return Latents(kept["clean"], kept["states"], kept["nothing"].float(), kept["singles"])
