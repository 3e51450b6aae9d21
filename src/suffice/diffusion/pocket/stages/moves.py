"""Stage 5: a motion adapter from new, in the UNet as it is now: what moves where.

The UNet stays frozen, so that whatever else sits on it need not learn again. What decides whether an adapter learns to
read a motion in a caption at all is how it starts (see `ready`), that every step shows opposite ways in strong noise,
where the caption alone tells them apart, and that the difference between the two counts for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.clip import clip
from suffice.diffusion.pocket.clip_latents import COUNT, SEED, ClipLatents, load_clips
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.latents import read
from suffice.diffusion.pocket.noise import v_error
from suffice.diffusion.pocket.scene import MOTIONS, STILL
from suffice.diffusion.pocket.stages.motion import clip_loss

PLAN = Plan("moves", steps=1200, rate=5e-3, seed=9, average=0.995, optimiser="muon")
_CLIPS, _EACH = 8, 4  # in a step: any clips, and clips of each pair beside their opposites
_PAIRS = (MOTIONS[0:2], MOTIONS[2:4], MOTIONS[4:6], (MOTIONS[6], STILL))
# Where a word is needed: in less noise the frames show the motion. Two clips whose latents lie a distance D apart are
# told apart by what is seen where signal / noise is above 2 / D, and D is 74, 50 and 30 for these pairs.
_NOISE = ((880, 1000), (880, 1000), (850, 1000), (700, 980))
_ANYWHERE, _LEAST = 0.25, 500  # of the draws come from all strong noise, for what reads the frames less well
_FIRST = 0.3  # of the steps show the four directions alone: beside what is learnt sooner they never are
_WEIGHT = (2.0, 2.0, 2.0, 6.0)  # what changes less of the picture counts more
_APART = 2.0  # how much the difference within a pair counts beside its clips
_HALF = 0.75  # of the steps see every second frame, the rest all
_SHARP, _LOUD, _HEARD = 2.0, 3.0, 0.3
_ALL = slice(None)


def frames_shown(step: int) -> slice:
    """Return which frames a step sees: every second one, odd and even by turns, and all of them in the last steps.

    Half as many frames cost half as much, and tell a motion as well.
    """
    return slice(step % 2, None, 2) if step < _HALF * PLAN.steps else _ALL


@contextmanager
def placed(moved: Any, shown: slice) -> Iterator[None]:
    """Have the adapter in `moved` take the frames it is given for those of the clip that are `shown`."""
    places = [(module, module.pe) for name, module in moved.named_modules() if name.endswith(".pos_embed")]
    for module, whole in places:
        module.pe = whole[:, shown]
    try:
        yield
    finally:
        for module, whole in places:
            module.pe = whole


def pairs_shown(step: int) -> tuple[int, ...]:
    """Return of which pairs a step shows clips and their opposites."""
    return ((0, 1, 0, 1) if step < _FIRST * PLAN.steps else (0, 1, 2, 3)) * _EACH


def any_timesteps(count: int, generator: Any) -> Any:
    """Return timesteps from all but the last fifth, where a clip is as good as clean."""
    import torch

    return torch.randint(200, 1000, (count,), generator=generator)


def pair_timestep(pair: int, generator: Any) -> int:
    """Return a timestep at which the words of a pair are needed."""
    import torch

    low, high = _NOISE[pair] if torch.rand((), generator=generator) >= _ANYWHERE else (_LEAST, 1000)
    return int(torch.randint(low, high, (), generator=generator))


@dataclass(frozen=True)
class Opposites:
    """For every clip its motion, and the text state of the caption that tells the opposite one."""

    motions: list[str]
    states: Any

    def rows(self, pair: tuple[str, ...]) -> list[int]:
        """Return the clips whose motion is of `pair` and can be turned into the other: none that stand still."""
        return [n for n, motion in enumerate(self.motions) if motion in pair and motion != STILL]


def opposites(folder: Path) -> Opposites:
    """Return the opposites of all training clips."""
    import numpy as np

    from suffice.diffusion.pocket.trained import text_encoder

    rng = np.random.default_rng(SEED)
    first = [clip(rng)[0] for _ in range(COUNT)]
    other = {one: two for pair in _PAIRS for one, two in (pair, pair[::-1])}
    motions = [scene.things[0].motion for scene in first]
    turned = [
        scene.with_things(replace(scene.things[0], motion=other[motion]))
        for scene, motion in zip(first, motions, strict=True)
    ]
    return Opposites(motions, read(*text_encoder(folder), [caption(scene) for scene in turned]))


def opposite_of(clean: Any, motion: str) -> Any:
    """Return the latents [16, 4, 16, 16] of the opposite motion: backwards, or the first frame held for what spins."""
    return clean[:1].expand_as(clean) if motion == "spinning" else clean.flip(0)


def pair_loss(
    moved: Any,
    clips: ClipLatents,
    other: Opposites,
    rows: list[int],
    pairs: Sequence[int],
    generator: Any,
    shown: slice = _ALL,
) -> Any:
    """Return the loss on clips (`rows`, of `pairs`) and their opposites: one scene, one noise, one timestep, two words.

    All that differs between the two is the word and what must come of it, so no chance of the scene hides it; and in
    the difference of their errors everything else falls out. `shown` says which frames are seen.
    """
    import torch

    clean = torch.stack([clips.clean[n] for n in rows] + [opposite_of(clips.clean[n], other.motions[n]) for n in rows])
    clean = clean[:, shown].float().transpose(1, 2)
    states = torch.cat([clips.states[rows], other.states[rows]]).float()
    told = states.repeat_interleave(clean.shape[2], dim=0)
    steps = torch.tensor([pair_timestep(pair, generator) for pair in pairs]).repeat(2)
    weight = torch.tensor([_WEIGHT[pair] for pair in pairs])[:, None, None, None, None]
    noise = torch.randn(clean[: len(rows)].shape, generator=generator).repeat(2, 1, 1, 1, 1)
    one, two = v_error(lambda noisy, t: moved(noisy, t, told).sample, clean, generator, steps, noise).chunk(2)
    return ((one**2 + two**2 + _APART * (one - two) ** 2) * weight).mean() / 2


def ready(adapter: Any) -> Any:
    """Return the adapter with attention that looks at neighbouring frames and hands on which frame it is.

    With random weights attention looks at all frames alike, so that nothing that comes out says where in the clip a
    frame is; and where a frame is, times what the caption says, is what has to be learnt. Nor may the last layers be
    zero: then the others hear nothing for long.
    """
    import torch

    with torch.no_grad():
        for name, weight in adapter.named_parameters():
            if name.endswith(("to_q.weight", "to_k.weight")):
                weight.copy_(_SHARP * waves(len(weight), configs.MOTION["motion_num_attention_heads"]))
            elif name.endswith("to_v.weight"):
                weight.copy_(torch.eye(len(weight)))
            elif name.endswith("to_out.0.weight"):
                weight.copy_(_LOUD * torch.eye(len(weight)))
            elif ".proj_out.weight" in name:
                torch.nn.init.orthogonal_(weight, _HEARD)
    return adapter


def waves(width: int, heads: int) -> Any:
    """Return the permutation that gives every head slow and fast waves of the position, sine and cosine in pairs."""
    import torch

    pairs = torch.arange(width // 2).reshape(-1, heads).T.flatten()
    return torch.eye(width)[torch.stack([2 * pairs, 2 * pairs + 1], 1).flatten()]


def train(folder: Path) -> Any:
    """Train a motion adapter in the frozen UNet and return the UNetMotionModel that holds it."""
    import torch
    from diffusers import UNetMotionModel

    from suffice.diffusion.pocket.random_folder import make_motion
    from suffice.diffusion.pocket.trained import unet

    clips, other = load_clips(folder), opposites(folder)
    torch.manual_seed(PLAN.seed)
    moved = plain(UNetMotionModel.from_unet2d(unet(folder), ready(make_motion())))
    for name, weight in moved.named_parameters():
        weight.requires_grad_(".motion_modules." in name)
    rows = [other.rows(pair) for pair in _PAIRS]

    def loss(step: int, generator: Any) -> Any:
        pairs, shown = pairs_shown(step), frames_shown(step)
        some = [rows[pair][torch.randint(len(rows[pair]), (1,), generator=generator)] for pair in pairs]
        with placed(moved, shown):
            general = clip_loss(moved, clips, generator, _CLIPS, any_timesteps, shown)
            return pair_loss(moved, clips, other, some, pairs, generator, shown) + 0.5 * general

    fit(PLAN, moved, loss, folder)
    return moved.eval()
