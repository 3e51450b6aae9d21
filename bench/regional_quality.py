"""What a picture loses at part of the FLOPs: ours against what one would do instead, on prompts nobody tuned on.

    python bench/regional.py --only quality                    # 200 prompts; stopped, it goes on where it was
    python bench/regional.py --only quality --judge out/pocket # with the pocket judges (trained there if need be)

    python bench/regional.py --only quality --tuning           # other prompts, to choose by; nothing is kept of them

Every way draws the same prompts from the same noise; each is held against the whole run of 20 steps. LPIPS is not among
the measures: its networks cannot be had here; `judge_distance` is the distance in the features of the pocket judge.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.data import scenes
from suffice.diffusion.pocket.measure import ONE, TWO, as_tensor, look
from suffice.regional.denoiser import Denoiser, opened
from suffice.regional.flops import FlopMeter, counted
from suffice.regional.local import LocalEngine
from suffice.regional.model import Model, load
from suffice.regional.settings import RequestSettings, SkipSettings
from suffice.regional.tiles import TileGrid

STEPS, GUIDANCE = 20, 3.0
REPORTED, TUNING = (3101, 3102), (4001, 4002)  # seeds of prompts with one and with two things
WHOLE = SkipSettings(mode="off")
Paint = Callable[["Easel", RequestSettings], tuple[Any, float]]


@dataclass
class Easel:
    """Model and denoiser, and the part of a whole run's FLOPs that may be spent."""

    model: Model
    denoiser: Denoiser
    meter: FlopMeter
    fraction: float

    def draw(self, asked: RequestSettings) -> tuple[Any, float]:
        """The picture, and its FLOPs."""
        course, before = self.model.course(asked), self.meter.executed
        LocalEngine(self.denoiser, self.meter).run(course)
        return self.model.decode(course.latents)[0], float(self.meter.executed - before)

    def budget(self, **changes: Any) -> SkipSettings:
        return replace(SkipSettings(mode="budget", active_fraction=self.fraction), **changes)


def by_rule(**changes: Any) -> Paint:
    return lambda easel, asked: easel.draw(replace(asked, skip=easel.budget(**changes)))


def fewer_steps(easel: Easel, asked: RequestSettings) -> tuple[Any, float]:
    return easel.draw(replace(asked, steps=round(asked.steps * easel.fraction)))


@torch.no_grad()
def naive_patches(easel: Easel, asked: RequestSettings) -> tuple[Any, float]:
    """Four quarters that know nothing of each other, each a picture of its own; as many steps as the budget pays."""
    course = easel.model.course(replace(asked, steps=round(asked.steps * easel.fraction)))
    quarters = TileGrid(course.grid.height, course.grid.width, course.grid.height // 2)
    latents, total = quarters.cut(course.latents)[0], 0.0
    text = course.condition.text.repeat_interleave(quarters.count, 0)
    for step in course.scheduler.timesteps:
        scaled = course.scheduler.scale_model_input(latents, step).repeat(course.condition.batch, 1, 1, 1)
        work, noise = counted(lambda x=scaled, t=step: easel.denoiser.unet(x, t, text, return_dict=False)[0])
        latents = course.scheduler.step(guided(noise, asked), step, latents, return_dict=False)[0]
        total += work
    return easel.model.decode(quarters.joined(latents[None]))[0], total


def guided(noise: Any, asked: RequestSettings) -> Any:
    without, prompted = noise.chunk(2)
    return without + asked.guidance * (prompted - without)


@torch.no_grad()
def deep_cache(easel: Easel, asked: RequestSettings) -> tuple[Any, float]:
    """DeepCache (arXiv:2312.00858): between whole steps only the outermost blocks run, on deep features kept from the
    last whole step. Whole steps are as many as the budget pays for, evenly spread."""
    course, unet = easel.model.course(asked), easel.denoiser.unet
    kept: dict[str, Any] = {}
    handle = unet.up_blocks[-2].register_forward_hook(lambda _m, _i, out: kept.update(deep=out))
    text, total, latents = course.condition.text, 0.0, course.latents
    try:
        whole: set[int] | None = None
        for number, step in enumerate(course.scheduler.timesteps):
            seen = course.scheduler.scale_model_input(latents, step).repeat(course.condition.batch, 1, 1, 1)
            if whole is None or number in whole:
                work, noise = counted(lambda x=seen, t=step: unet(x, t, text, return_dict=False)[0])
            else:
                work, noise = counted(lambda x=seen, t=step: shallow(unet, x, t, text, kept["deep"]))
            if whole is None:
                part = counted(lambda x=seen, t=step: shallow(unet, x, t, text, kept["deep"]))[0] / work
                whole = spread(paid_for(asked.steps, easel.fraction, part), asked.steps)
            latents = course.scheduler.step(guided(noise, asked), step, latents, return_dict=False)[0]
            total += work
    finally:
        handle.remove()
    return easel.model.decode(latents)[0], total


def paid_for(steps: int, fraction: float, shallow_part: float) -> int:
    """How many whole steps leave enough for shallow ones in all others."""
    return max(1, round(steps * (fraction - shallow_part) / (1 - shallow_part)))


def spread(count: int, steps: int) -> set[int]:
    return {round(number * steps / count) for number in range(count)}


def shallow(unet: Any, sample: Any, step: Any, text: Any, deep: Any) -> Any:
    """The UNet without all but its first and last block."""
    embedding = unet.time_embedding(unet.time_proj(step.expand(len(sample))).to(sample.dtype))
    states = unet.conv_in(sample)
    skips, first, last = [states], unet.down_blocks[0], unet.up_blocks[-1]
    attentions = getattr(first, "attentions", None) or [None] * len(first.resnets)
    for resnet, attention in zip(first.resnets, attentions, strict=True):
        states = resnet(states, embedding)
        states = states if attention is None else attention(states, text, return_dict=False)[0]
        skips.append(states)
    told = {"encoder_hidden_states": text} if getattr(last, "has_cross_attention", False) else {}
    states = last(hidden_states=deep, res_hidden_states_tuple=tuple(skips), temb=embedding, **told)
    return unet.conv_out(unet.conv_act(unet.conv_norm_out(states)))


WAYS: dict[str, Paint] = {
    "ours": by_rule(),
    "ours, zero order": by_rule(fill="zero_order"),
    "regions apart": by_rule(rest="apart"),
    "apart, change only": by_rule(rest="apart", attention_power=0.0),
    "apart, attention only": by_rule(rest="apart", change_power=0.0, attention_power=1.0),
    "apart, random": by_rule(mode="random"),
    "DeepCache": deep_cache,
    "fewer steps": fewer_steps,
    "naive patches": naive_patches,
}

ALSO_TUNING: dict[str, Paint] = {
    "apart, change from fill": by_rule(rest="apart", change_from="fill"),
    "apart, three quarters whole": by_rule(rest="apart", whole_share=0.75),
    "apart, no starvation": by_rule(rest="apart", starvation=0.0),
}


@dataclass(frozen=True)
class Judge:
    """The pocket judge of pictures."""

    looker: Any

    def right(self, picture: Any, scene: Any) -> float:
        """Whether the picture shows the scene: every kind and colour where it was asked for."""
        return float(look(self.looker, [scene], lambda told, seed: picture[None] / 255)[0])

    def distance(self, picture: Any, other: Any) -> float:
        """One minus the cosine between the judge's features of both."""
        with torch.no_grad():
            seen = self.looker.think(self.looker.eye(as_tensor(np.stack([picture, other]) / 255)))
        return float(1 - torch.nn.functional.cosine_similarity(seen[:1], seen[1:]))


def judge_in(folder: str | None) -> Judge | None:
    from suffice.diffusion.pocket.judge import train_looker

    return None if folder is None else Judge(train_looker(Path(folder)))


def compared(picture: Any, whole: Any, flops: float, judge: Judge | None, scene: Any) -> dict[str, float]:
    from skimage.metrics import structural_similarity

    error = np.mean((picture.astype(float) - whole.astype(float)) ** 2)
    row = {
        "flops": flops,
        "psnr_db": 99.0 if error == 0 else float(10 * np.log10(255**2 / error)),
        "ssim": float(structural_similarity(picture, whole, channel_axis=2)),
    }
    if judge is not None:
        row |= {"judged_right": judge.right(picture, scene), "judge_distance": judge.distance(picture, whole)}
    return row


class Kept:
    """Rows of prompts that are done, in a file that belongs to these weights and settings alone."""

    def __init__(self, told: dict[str, Any]) -> None:
        name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        self.path = Path("out") / f"regional_quality_{name}.jsonl"
        self.path.parent.mkdir(exist_ok=True)
        self.rows = [json.loads(one) for one in self.path.read_text().splitlines()] if self.path.exists() else []

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def quality(args: argparse.Namespace) -> dict[str, Any]:
    """The table; how far each way lies from ours is taken prompt by prompt."""
    model, judge = load(args.model), judge_in(args.judge)
    half = args.prompts // 2
    one, two = TUNING if args.tuning else REPORTED
    told = [*scenes(half, one, ONE), *scenes(args.prompts - half, two, TWO)]
    told = [told[number // 2 + half * (number % 2)] for number in range(2 * half)] + told[2 * half :]  # in turn
    kept = Kept(
        {
            "weights": weights_of(model),
            "fraction": args.fraction,
            "judge": args.judge,
            "rule": repr(SkipSettings()),
            "tuning": args.tuning,
        }
    )
    with opened(*model.networks) as denoiser:
        easel, ways = Easel(model, denoiser, FlopMeter(), args.fraction), WAYS | (ALSO_TUNING if args.tuning else {})
        for number in range(len(kept.rows), len(told)):
            kept.add(drawn_every_way(easel, ways, judge, told[number], number))
            print(f"{number + 1} of {len(told)}", file=sys.stderr, flush=True)
    rows = kept.rows[: len(told)]
    table = [summary(name, rows) for name in ("whole run", *ways)]
    return {"prompts": len(rows), "steps": STEPS, "guidance": GUIDANCE, "model": Path(args.model).name, "rows": table}


def weights_of(model: Model) -> str:
    return hashlib.sha256(b"".join(one.numpy().tobytes() for one in model.unet.state_dict().values())).hexdigest()


def drawn_every_way(
    easel: Easel, ways: dict[str, Paint], judge: Judge | None, scene: Any, number: int
) -> dict[str, Any]:
    asked = RequestSettings(caption(scene), steps=STEPS, guidance=GUIDANCE, seed=number, skip=WHOLE)
    whole, work = easel.draw(asked)
    rows = {"whole run": compared(whole, whole, 1.0, judge, scene)}
    for name, paint in ways.items():
        picture, flops = paint(easel, asked)
        rows[name] = compared(picture, whole, flops / work, judge, scene)
    return rows


def summary(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means, and the mean difference of PSNR to ours with its 95% interval."""
    mean = {key: round(float(np.mean([row[name][key] for row in rows])), 4) for key in rows[0][name]}
    apart = np.array([row[name]["psnr_db"] - row["ours"]["psnr_db"] for row in rows])
    half = 1.96 * apart.std(ddof=1) / len(apart) ** 0.5 if len(apart) > 1 else float("nan")
    return {
        "way": name,
        **mean,
        "psnr_to_ours": round(float(apart.mean()), 2),
        "psnr_to_ours_95": round(float(half), 2),
    }


if __name__ == "__main__":
    from regional import main

    main(["--only", "quality", *sys.argv[1:]])
