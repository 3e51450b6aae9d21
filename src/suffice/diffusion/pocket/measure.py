"""What the trained family can do, counted by the judges on prompts and pictures it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suffice.diffusion.pocket import judge
from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.clip import clip
from suffice.diffusion.pocket.data import as_pixels, scenes
from suffice.diffusion.pocket.draw import SIDE, draw
from suffice.diffusion.pocket.edges import as_hint, edges
from suffice.diffusion.pocket.sample import one, two
from suffice.diffusion.pocket.scene import DIGITS, STILL, Scene

ONE, TWO = ((one, 1.0),), ((two, 1.0),)
_AT_ONCE = 32


@dataclass(frozen=True)
class Judges:
    """The two classifiers, trained on drawn pictures alone."""

    looker: Any
    watcher: Any


def judges(work: Path) -> Judges:
    """Train the judges, or load them where they have been trained."""
    return Judges(judge.train_looker(work), judge.train_watcher(work))


def share(right: Iterable[bool]) -> dict[str, Any]:
    """Return how many are right, with a 95 % Wilson interval."""
    answers = list(right)
    n, p = len(answers), float(np.mean(answers)) if answers else 0.0
    if not n:
        return {"n": 0, "share": None, "interval": None}
    z = 1.96
    middle, half = p + z * z / (2 * n), z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5
    return {
        "n": n,
        "share": round(p, 4),
        "interval": [round((middle + way * half) / (1 + z * z / n), 4) for way in (-1, 1)],
    }


def _in_parts(told: list[Any], at_once: int = _AT_ONCE) -> list[list[Any]]:
    return [told[first : first + at_once] for first in range(0, len(told), at_once)]


def as_tensor(pictures: Any) -> Any:
    """Return pictures [n, 64, 64, 3] in [0, 1] as a judge wants them: [n, 3, 64, 64] in [-1, 1]."""
    import torch

    return torch.from_numpy(np.asarray(pictures, dtype=np.float32)).permute(0, 3, 1, 2) * 2 - 1


def painted(pipe: Any, prompts: list[str], seed: int, **options: Any) -> Any:
    """Return one picture a prompt, [n, 64, 64, 3] in [0, 1]; the same seed gives the same pictures."""
    import torch

    source = torch.Generator().manual_seed(seed)
    shape = {"height": SIDE, "width": SIDE, "output_type": "np"}
    return pipe(prompts, generator=source, **shape, **options).images


KIND, COLOUR = 0, 1  # columns of judge.marks


def _fits(seen: Any, told: Scene, traits: tuple[int, ...]) -> bool:
    """Return whether the judge sees every thing of the scene, by the traits that count, where it was asked for."""
    rows = judge.marks(told)
    return all(int(seen[trait][slot]) == row[trait] for slot, row in enumerate(rows) if row[KIND] for trait in traits)


def _verdicts(looker: Any, pictures: Any, told: list[Scene], traits: tuple[int, ...]) -> list[bool]:
    kind, colour = (scores.argmax(1) for scores in looker(pictures))
    return [_fits((kind[n], colour[n]), scene, traits) for n, scene in enumerate(told)]


Painter = Callable[[list[Scene], int], Any]


def look(looker: Any, told: list[Scene], paint: Painter, traits: tuple[int, ...] = (KIND, COLOUR)) -> list[bool]:
    """Return, for each scene, whether the picture that `paint(scenes, seed)` makes of it shows it, by those traits."""
    return [
        right
        for seed, some in enumerate(_in_parts(told))
        for right in _verdicts(looker, as_tensor(paint(some, seed)), some, traits)
    ]


def by_words(pipe: Any, **options: Any) -> Callable[[list[Scene], int], Any]:
    """Return a painter that sees the captions of scenes alone."""
    return lambda told, seed: painted(pipe, [caption(one) for one in told], seed, **options)


def drawn(told: list[Scene], seed: int) -> Any:
    """The painter that does it right: used to measure the judge itself."""
    return np.stack([draw(one) for one in told]).astype(np.float32) / 255


def round_trip(vae: Any) -> Callable[[list[Scene], int], Any]:
    """Return the painter that passes drawn pictures through the autoencoder."""
    import torch

    def paint(told: list[Scene], seed: int) -> Any:
        with torch.no_grad():
            shown = vae.decode(vae.encode(as_pixels(told).float()).latent_dist.mean).sample
        return ((shown.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).numpy()

    return paint


def psnr(vae: Any, count: int, seed: int) -> dict[str, float]:
    """Return the autoencoder's PSNR in dB on drawn pictures it has not seen: mean and worst of `count`."""
    told = scenes(count, seed)
    through = round_trip(vae)
    values = [
        -10 * np.log10(((a - b) ** 2).mean())
        for some in _in_parts(told)
        for a, b in zip(drawn(some, 0), through(some, 0), strict=True)
    ]
    return {"n": count, "mean": round(float(np.mean(values)), 2), "worst": round(float(np.min(values)), 2)}


def digits(told: list[Scene], right: list[bool], wanted: bool) -> dict[str, Any]:
    """Return the share that is right among scenes that hold a digit, or among those that hold none."""
    has = [any(thing.kind in DIGITS for thing in one.things) for one in told]
    return share(answer for answer, digit in zip(right, has, strict=True) if digit == wanted)


def filmed(pipe: Any, prompts: list[str], seed: int, **options: Any) -> Any:
    """Return one clip a prompt, [n, 16, 64, 64, 3] in [0, 1]."""
    import torch

    source = torch.Generator().manual_seed(seed)
    shape = {"height": SIDE, "width": SIDE, "num_frames": 16, "output_type": "np"}
    return np.stack(pipe(prompts, generator=source, **shape, **options).frames)


def watched(watcher: Any, clips: Any) -> list[str]:
    """Return how each clip [n, 16, 64, 64, 3] moves, as the judge sees it."""
    import torch

    tensor = torch.from_numpy(np.asarray(clips, dtype=np.float32)).permute(0, 1, 4, 2, 3) * 2 - 1
    return [judge.ALL_MOTIONS[n] for n in watcher(tensor).argmax(1).tolist()]


def motion_prompts(each: int, seed: int) -> list[tuple[str, str]]:
    """Return `each` captions for every motion, with the motion."""
    rng = np.random.default_rng(seed)
    return [(motion, caption(clip(rng, motion)[0])) for motion in judge.ALL_MOTIONS for _ in range(each)]


def watch(watcher: Any, pipe: Any, asked: list[tuple[str, str]], **options: Any) -> list[tuple[str, str]]:
    """Return, for each asked (motion, caption), the motion asked for and the one seen."""
    seen = []
    for seed, some in enumerate(_in_parts(asked, 8)):
        moved = watched(watcher, filmed(pipe, [words for _, words in some], seed, **options))
        seen += [(motion, saw) for (motion, _), saw in zip(some, moved, strict=True)]
    return seen


def watcher_accuracy(watcher: Any, count: int, seed: int) -> dict[str, Any]:
    """Return how often the clip judge is right about drawn clips."""
    pixels, moved = judge.clips(np.random.default_rng(seed), count)
    return share((watcher(pixels).argmax(1) == moved).tolist())


def _thick(lines: Any) -> Any:
    from scipy.ndimage import binary_dilation

    return binary_dilation(lines, np.ones((3, 3), bool))


def edge_iou(picture: Any, hint: Any) -> tuple[float, float]:
    """Return the overlap of a picture's edges with the hint's: exact, and with one pixel of grace on both."""
    ours, wanted = edges(np.round(picture * 255).astype(np.uint8)) > 0, np.asarray(hint) > 0
    exact = (ours & wanted).sum() / max(1, (ours | wanted).sum())
    hit = (ours & _thick(wanted)).sum() + (wanted & _thick(ours)).sum()
    return float(exact), float(hit / max(1, ours.sum() + wanted.sum()))


def follow_edges(pipe: Any, told: list[Scene], **options: Any) -> list[tuple[float, float]]:
    """Return the edge overlaps of pictures painted from captions and the drawn pictures' edges."""
    import torch

    overlaps = []
    for seed, some in enumerate(_in_parts(told)):
        sources = [draw(one) for one in some]
        hint = torch.from_numpy(np.stack([as_hint(source) for source in sources]))
        pictures = painted(pipe, [caption(one) for one in some], seed, image=hint, **options)
        overlaps += [edge_iou(picture, edges(source)) for picture, source in zip(pictures, sources, strict=True)]
    return overlaps


def pan_prompts(count: int, seed: int) -> list[tuple[str, str]]:
    """Return captions of things that stand still."""
    rng = np.random.default_rng(seed)
    return [(STILL, caption(clip(rng, STILL)[0])) for _ in range(count)]
