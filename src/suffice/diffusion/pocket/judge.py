"""The judges: classifiers that learn from drawn pictures alone what a picture shows and how a clip moves.

They see no diffusion model while learning, so their verdict on one is evidence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.clip import clip
from suffice.diffusion.pocket.data import as_pixels
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.sample import moving, one, scene, two
from suffice.diffusion.pocket.scene import COLOURS, KINDS, MOTIONS, STILL, Scene

LOOK = Plan("judge", steps=1500, rate=2e-3, seed=21, average=0.99)
WATCH = Plan("judge_motion", steps=700, rate=2e-3, seed=22, average=0.99)
STANDS = ("alone", "left", "right", "top", "bottom")
_SLOTS = {"": (0,), "left of": (1, 2), "right of": (2, 1), "above": (3, 4), "below": (4, 3)}
_MIX = ((one, 0.35), (moving, 0.25), (two, 0.4))
ALL_MOTIONS = (*MOTIONS, STILL)
_BATCH = 64


def marks(told: Scene) -> list[list[int]]:
    """Return, for each of `STANDS`, the kind and the colour that stand there, from 1; 0 where nothing does: [5, 2]."""
    rows = [[0, 0] for _ in STANDS]
    for slot, thing in zip(_SLOTS[told.relation], told.things, strict=True):
        rows[slot] = [1 + KINDS.index(thing.kind), 1 + tuple(COLOURS).index(thing.colour)]
    return rows


def _stride(into: int, out: int) -> Any:
    import torch.nn as nn

    return nn.Sequential(nn.Conv2d(into, out, 3, 2, 1), nn.GroupNorm(8, out), nn.SiLU())


def looker() -> Any:
    """Return the untrained picture judge: RGB [n, 3, 64, 64] to kind [n, 17, 5] and colour [n, 9, 5] scores."""
    import torch.nn as nn

    class Looker(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.eye = nn.Sequential(_stride(3, 24), _stride(24, 48), _stride(48, 96), _stride(96, 128), nn.Flatten())
            self.think = nn.Sequential(nn.Linear(128 * 16, 192), nn.SiLU())
            self.kind = nn.Linear(192, (1 + len(KINDS)) * len(STANDS))
            self.colour = nn.Linear(192, (1 + len(COLOURS)) * len(STANDS))

        def forward(self, pixels: Any) -> tuple[Any, Any]:
            seen = self.think(self.eye(pixels))
            return self.kind(seen).unflatten(1, (-1, len(STANDS))), self.colour(seen).unflatten(1, (-1, len(STANDS)))

    return Looker()


def watcher() -> Any:
    """Return the untrained clip judge: RGB [n, 16, 3, 64, 64] to motion scores [n, 8].

    It looks at each frame beside what has changed three frames later: a square that spins by eight degrees a frame
    differs too little from the next frame, and from a frame much later too little again, since it fits itself.
    """
    import torch
    import torch.nn as nn

    class Watcher(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.eye = nn.Sequential(_stride(6, 16), _stride(16, 24), _stride(24, 32), _stride(32, 32), nn.Flatten())
            self.frame = nn.Linear(32 * 16, 48)
            self.time = nn.Sequential(
                nn.Conv1d(48, 64, 3, 2, 1), nn.SiLU(), nn.Conv1d(64, 64, 3, 2, 1), nn.SiLU(), nn.Flatten()
            )
            self.motion = nn.Linear(64 * 4, len(ALL_MOTIONS))

        def forward(self, clips: Any) -> Any:
            later = clips[:, [min(n + 3, clips.shape[1] - 1) for n in range(clips.shape[1])]]
            seen = self.eye(torch.cat([clips, later - clips], 2).flatten(0, 1))
            return self.motion(self.time(self.frame(seen).unflatten(0, clips.shape[:2]).transpose(1, 2)))

    return Watcher()


def roughen(pixels: Any, generator: Any) -> Any:
    """Blur some pictures a little and add a little noise, as a decoder would."""
    import torch
    import torch.nn.functional as f

    soft = f.avg_pool2d(f.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share = torch.rand(len(pixels), 1, 1, 1, generator=generator) * 0.7
    noise = torch.randn(pixels.shape, generator=generator) * 0.04
    return pixels * (1 - share) + soft * share + noise


def _look_loss(model: Any, step: int, generator: Any) -> Any:
    import numpy as np
    import torch

    rng = np.random.default_rng(LOOK.seed * 1_000_003 + step)
    told = [scene(rng, _MIX) for _ in range(_BATCH)]
    kind, colour = model(roughen(as_pixels(told).float(), generator))
    wanted = torch.tensor([marks(one) for one in told])
    return torch.nn.functional.cross_entropy(kind, wanted[..., 0]) + torch.nn.functional.cross_entropy(
        colour, wanted[..., 1]
    )


def clips(rng: Any, count: int) -> tuple[Any, Any]:
    """Return clips as pixels [n, 16, 3, 64, 64] and the number of each one's motion."""
    import torch

    told = [clip(rng) for _ in range(count)]
    moved = [ALL_MOTIONS.index(frames[0].things[0].motion) for frames in told]
    return torch.stack([as_pixels(frames).float() for frames in told]), torch.tensor(moved)


def _watch_loss(model: Any, step: int, generator: Any) -> Any:
    import numpy as np
    import torch

    pixels, moved = clips(np.random.default_rng(WATCH.seed * 1_000_003 + step), 24)
    rough = roughen(pixels.flatten(0, 1), generator).unflatten(0, pixels.shape[:2])
    return torch.nn.functional.cross_entropy(model(rough), moved)


def train_looker(folder: Path) -> Any:
    """Train (or load) the picture judge."""
    import torch

    torch.manual_seed(LOOK.seed)
    model = looker()
    fit(LOOK, model, lambda step, generator: _look_loss(model, step, generator), folder)
    return model.eval().requires_grad_(False)


def train_watcher(folder: Path) -> Any:
    """Train (or load) the clip judge."""
    import torch

    torch.manual_seed(WATCH.seed)
    model = watcher()
    fit(WATCH, model, lambda step, generator: _watch_loss(model, step, generator), folder)
    return model.eval().requires_grad_(False)
