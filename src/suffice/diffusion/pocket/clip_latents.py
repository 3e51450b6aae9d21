"""Clips as the motion adapter sees them: clean latents of 16 frames and one text state, computed once and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.clip import clip
from suffice.diffusion.pocket.latents import encode, from_disk, is_stale, read
from suffice.diffusion.pocket.scene import Scene

COUNT, SEED, _AT_ONCE = 2400, 51, 10


@dataclass(frozen=True)
class ClipLatents:
    """`clean` [n, 16, 4, 16, 16] and `states` [n, 77, 96] in half precision; `nothing` is the empty caption's state."""

    clean: Any
    states: Any
    nothing: Any


def make(folder: Path, count: int, seed: int, drawn: Callable[[Any], list[Scene]]) -> dict[str, Any]:
    """Return latents and text states of `count` clips that `drawn(rng)` gives."""
    import numpy as np
    import torch

    from suffice.diffusion.pocket.trained import text_encoder, vae

    eyes, (encoder, tokenize) = vae(folder), text_encoder(folder)
    rng = np.random.default_rng(seed)
    clean, states = [], []
    for _ in range(0, count, _AT_ONCE):
        some = [drawn(rng) for _ in range(_AT_ONCE)]
        frames = encode(eyes, [frame for one in some for frame in one])
        clean.append(frames.unflatten(0, (_AT_ONCE, -1)))
        states.append(read(encoder, tokenize, [caption(one[0]) for one in some]))
    return {"clean": torch.cat(clean), "states": torch.cat(states), "nothing": read(encoder, tokenize, [""])[0]}


def load_clips(
    folder: Path, name: str = "clips", count: int = COUNT, seed: int = SEED, drawn: Any = clip
) -> ClipLatents:
    """Return clips' latents, made on the first call and kept in `folder/NAME.pt`."""
    import torch

    path = folder / f"{name}.pt"
    if is_stale(path):
        torch.save(make(folder, count, seed, drawn), path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
    kept = from_disk(path)
    return ClipLatents(kept["clean"], kept["states"], kept["nothing"].float())
