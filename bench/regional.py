"""Regions that rest: what a step costs, what the picture loses, what is sent, and what gap-filling brings.

    python bench/regional.py                              # everything: hours on one core
    python bench/regional.py --only cost schedule bytes   # these again; the others keep their last figures
    python bench/regional.py --only quality --prompts 50
    python bench/regional.py --short                      # every table in minutes

gpu        seconds of a step on a CUDA device at 1024² and 2048²; skipped where there is none
cost       a random UNet of Stable Diffusion 1.5's size, 64×64 latent: seconds and FLOPs of a step by active fraction
equal      worker processes in sync against one process: 1, 2 and 4
quality    the pocket weights: distance to the whole run at equal FLOPs, ours against what one would do instead
bytes      what two and four workers send a step, against DistriFusion's all-gather on the same split
throughput the same requests on two worker processes: gaps filled, one request at a time, static strips
schedule   the same policies on a virtual clock with the measured cost: 8 to 1024 workers
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from regional_quality import quality

from suffice.assets import asset_path
from suffice.regional.denoiser import Condition, opened
from suffice.regional.flops import counted
from suffice.regional.frame import Cache
from suffice.regional.local import LocalEngine
from suffice.regional.model import Model, load
from suffice.regional.schedule.cost import StepCost, fit
from suffice.regional.schedule.policy import GapFilling, OneByOne, Policy
from suffice.regional.schedule.simulate import simulate
from suffice.regional.schedule.trace import strips, synthetic_trace
from suffice.regional.settings import RequestSettings, SkipSettings
from suffice.regional.tiles import TileGrid
from suffice.regional.traffic import all_gather_bytes
from suffice.regional.workers.fleet import ProcessFleet, ThreadFleet
from suffice.regional.workers.planner import Planner

RESULTS = Path(__file__).parent / "results" / "regional.json"
SKIP = SkipSettings(mode="budget", rest="apart", active_fraction=0.5)
WHOLE = SkipSettings(mode="off")
STEPS = 20


def sd15_unet() -> Any:
    """Stable Diffusion 1.5's architecture with small random weights."""
    from diffusers import UNet2DConditionModel

    return small_random(lambda: UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8))


def small_random(make: Callable[[], Any]) -> Any:
    """A network made without the slow usual draws."""
    kept = {name: getattr(torch.nn.init, name) for name in ("kaiming_uniform_", "uniform_")}
    for name in kept:
        setattr(torch.nn.init, name, lambda tensor, *args, **more: tensor)
    try:
        unet = make().eval()
    finally:
        for name, draw in kept.items():
            setattr(torch.nn.init, name, draw)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.uniform_(-0.01, 0.01)
    return unet


def cost(args: argparse.Namespace) -> dict[str, Any]:
    """Process seconds (waiting for a busy machine does not count), the fewest of `repeats`, all in one process."""
    unet, grid, cache = sd15_unet(), TileGrid(64, 64, 8), Cache()
    latents, told = torch.randn(1, 4, 64, 64), Condition(torch.randn(1, 77, 768))
    with torch.no_grad():
        plain_s = fewest_s(lambda: unet(latents, 500, told.text), args.repeats)
    rows = []
    with opened(unet) as denoiser:
        dense_flops, _ = counted(lambda: denoiser.dense(latents, 500, told, grid, cache))
        for fraction in (1.0, 0.5, 0.25, 0.125):
            active = torch.arange(int(fraction * grid.count))
            work = lambda a=active: denoiser.sparse(latents, 400, told, grid, cache, a)  # noqa: E731
            flops, _ = counted(work)
            taken_s = fewest_s(work, args.repeats)
            rows.append(
                {
                    "active": fraction,
                    "seconds": round(taken_s, 3),
                    "speed_up": round(plain_s / taken_s, 3),
                    "flops_of_dense": round(flops / dense_flops, 4),
                }
            )
            print(rows[-1], flush=True)
    model = fit([(row["active"], row["seconds"]) for row in rows], plain_s)
    return {
        "unet": "SD 1.5 size, random weights, latent 64x64, one picture, float32, 1 thread",
        "dense_s": round(plain_s, 3),
        "dense_gflop": round(dense_flops / 1e9, 1),
        "cache_bytes": cache.bytes,
        "break_even": round(model.break_even, 3),
        "fixed_s": round(model.fixed_s, 4),
        "whole_s": round(model.whole_s, 4),
        "rows": rows,
    }


def fewest_s(work: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.process_time) -> float:
    taken = []
    for _ in range(repeats + 1):
        started = clock()
        work()
        taken.append(clock() - started)
    return min(taken[1:])


def gpu(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a step in half precision by active fraction. One GPU says nothing about several."""
    if not torch.cuda.is_available():
        print("skipped: there is no CUDA device")
        return {"skipped": "there was no CUDA device"}

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    unet, rows = sd15_unet().to("cuda", torch.float16), []
    for side in (128, 256):
        grid, cache = TileGrid(side, side, side // 8), Cache()
        latents = torch.randn(1, 4, side, side, device="cuda", dtype=torch.float16)
        told = Condition(torch.randn(1, 77, 768, device="cuda", dtype=torch.float16))
        with torch.no_grad():
            plain_s = fewest_s(lambda x=latents, c=told: unet(x, 500, c.text), args.repeats, clock)
        with opened(unet) as denoiser:
            denoiser.dense(latents, 500, told, grid, cache)
            for fraction in (1.0, 0.5, 0.25, 0.125):
                active = torch.arange(int(fraction * grid.count), device="cuda")
                work = lambda x=latents, c=told, g=grid, k=cache, a=active: denoiser.sparse(x, 400, c, g, k, a)  # noqa: E731
                taken_s = fewest_s(work, args.repeats, clock)
                rows.append({"side_px": 8 * side, "active": fraction, "speed_up": round(plain_s / taken_s, 3)})
                rows[-1]["seconds"] = round(taken_s, 5)
    print_table(rows)
    return {"device": torch.cuda.get_device_name(), "rows": rows}


def sent(args: argparse.Namespace) -> dict[str, Any]:
    """Bytes by step of one request, and what an all-gather of everything in every step would send."""
    model, rows = load(args.model), []
    for ranks in (2, 4):
        for name, skip in (("off", WHOLE), ("budget=0.5", SKIP)):
            fleet = ThreadFleet([copy.deepcopy(model.networks) for _ in range(ranks)])
            course = model.course(
                RequestSettings("a red circle", steps=10, skip=replace(skip, warmup_steps=2, reset_every=10))
            )
            planner = Planner(fleet)
            planner.run([course])
            fleet.stop()
            cache = Cache()
            with opened(model.unet) as denoiser:
                denoiser.dense(course.latents.repeat(2, 1, 1, 1), 10, course.condition, course.grid, cache)
            steps = planner.tally.bytes_by_step[2:]
            gathered = all_gather_bytes(cache, ranks)
            rows.append(
                {
                    "workers": ranks,
                    "skip": name,
                    "bytes_a_step": round(sum(steps) / len(steps)),
                    "all_gather_a_step": gathered,
                    "of_all_gather": round(sum(steps) / len(steps) / gathered, 4),
                    "by_kind": planner.tally.bytes_by_kind,
                }
            )
    print_table(rows)
    return {"rows": rows}


def equal(args: argparse.Namespace) -> dict[str, Any]:
    """The largest difference between latents that worker processes made in sync and those of one process."""
    model, rows = load(args.model), []
    for name, skip in (("off", WHOLE), ("budget=0.5", SKIP)):
        asked = RequestSettings("a red circle", steps=10, skip=skip)
        alone = model.course(asked)
        with opened(*model.networks) as denoiser:
            LocalEngine(denoiser).run(alone)
        for ranks in (1, 2, 4):
            course, fleet = model.course(asked), ProcessFleet(ranks, model.recipe)
            try:
                Planner(fleet).run([course])
            finally:
                fleet.stop()
            apart = float((course.latents - alone.latents).abs().max())
            rows.append({"workers": ranks, "skip": name, "largest_difference": apart})
    print_table(rows)
    return {"rows": rows}


def throughput(args: argparse.Namespace) -> dict[str, Any]:
    """The same requests, all there from the start, on two worker processes, every way in turn, `rounds` times.

    Wall seconds; a ratio is the median over rounds. A worker is busy from the moment it takes a unit up to its answer,
    but not while it waits there for another worker. in_backlog: the same until the last request begins; a unit counts
    when it ends, so those that are under way then do not. The wide network has the channels of Stable Diffusion 1.5's
    (320, 640, 1280) and random weights: its steps last as long as those of a picture on a GPU.
    """
    kept = json.loads(RESULTS.read_text()).get("throughput", {}) if RESULTS.exists() else {}
    asked = RequestSettings("a red circle", steps=args.steps, skip=SKIP)
    for name in args.networks:
        with checkpoint(name, args.model) as where:
            model = load(where)
            found = [[backlog(model, way, asked, args.requests) for way in args.ways] for _ in range(args.rounds)]
        asked_of = f"{name}, {args.requests} requests"
        kept[asked_of] = {
            "rounds": args.rounds,
            "steps": args.steps,
            "rows": in_turn(args.ways, found),
        }
        print(asked_of)
        print_table(kept[asked_of]["rows"])
    return kept


def in_turn(ways: list[str], found: list[list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Medians of each way over the rounds, and of its time against the first way of the same round."""
    rows = []
    for place, way in enumerate(ways):
        mine = [one[place] for one in found]
        against = [one[place]["seconds"] / one[0]["seconds"] for one in found]
        shown = {key: round(float(np.median([one[key] for one in mine])), 3) for key in mine[0]}
        rows.append({"way": way, **shown, "times_ours": round(float(np.median(against)), 3)})
    return rows


IN_FLIGHT = 4
BACKLOG_WAYS: dict[str, tuple[str, Policy, SkipSettings]] = {
    "gaps filled": ("stale", GapFilling(IN_FLIGHT), SKIP),
    "all share all": ("stale", GapFilling(IN_FLIGHT, elastic=False), SKIP),
    "one at a time": ("stale", OneByOne(), SKIP),
    "static strips": ("strips", OneByOne(), WHOLE),
}


def backlog(model: Model, way: str, asked: RequestSettings, requests: int) -> dict[str, float]:
    exchange, policy, skip = BACKLOG_WAYS[way]
    fleet = ProcessFleet(2, model.recipe)
    try:
        planner = Planner(fleet, exchange, policy)
        planner.run([model.course(replace(asked, steps=4, skip=WHOLE))])  # what is first is slow
        planner.tally.busy_s.clear()
        courses = [model.course(replace(asked, seed=seed, skip=skip)) for seed in range(requests)]
        begun: dict[int, float] = {}
        in_backlog_s, started = 0.0, time.perf_counter()

        def stepped(number: int, plan: Any) -> None:
            nonlocal in_backlog_s
            if number not in begun:
                begun[number] = time.perf_counter() - started
                in_backlog_s = sum(planner.tally.busy_s.values())

        done = planner.run(courses, stepped)
        taken_s = time.perf_counter() - started
    finally:
        fleet.stop()
    p50_s, p99_s = np.percentile([one.finished_s - started for one in done], [50, 99])
    found = {
        "seconds": taken_s,
        "busy": sum(planner.tally.busy_s.values()) / taken_s / 2,
        "in_backlog": in_backlog_s / max(begun.values()) / 2,
        "p50_s": float(p50_s),
        "p99_s": float(p99_s),
    }
    print(way, {key: round(value, 3) for key, value in found.items()}, file=sys.stderr, flush=True)
    return found


@contextmanager
def checkpoint(network: str, model: str) -> Iterator[str]:
    """`model`, or for ``wide`` the pocket family with a random UNet of SD 1.5's channels."""
    from diffusers import UNet2DConditionModel

    if network != "wide":
        yield model
        return
    told = json.loads((asset_path("pocket") / "unet" / "config.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        for part in asset_path("pocket").iterdir():
            if part.name in ("text_encoder", "tokenizer", "vae", "scheduler", "model_index.json"):
                (Path(folder) / part.name).symlink_to(part)
        wide = {**told, "block_out_channels": [320, 640, 1280]}
        small_random(lambda: UNet2DConditionModel.from_config(wide)).save_pretrained(Path(folder) / "unet")
        yield folder


def schedule(args: argparse.Namespace) -> dict[str, Any]:
    """Groups of four and eight, backlog and steady arrivals, equal and mixed speeds; times from the measured cost."""
    known = json.loads(RESULTS.read_text())["cost"] if RESULTS.exists() else None
    model = (
        StepCost(0.3, 10.7, 10.9) if known is None else StepCost(known["fixed_s"], known["whole_s"], known["dense_s"])
    )
    rows = []
    for workers, group, speeds in (
        (8, 4, "equal"),
        (8, 4, "mixed"),
        (64, 8, "equal"),
        (64, 8, "mixed"),
        (1024, 8, "equal"),
    ):
        rates = [1.0 if speeds == "equal" or worker % 2 else 0.5 for worker in range(workers)]
        trace = synthetic_trace(4 * workers, group, active_fraction=0.4, every_s=0.0)
        for name, requests, policy in (
            ("gaps filled", trace, GapFilling(2 * group + 4)),
            ("all share all", trace, GapFilling(2 * group + 4, elastic=False)),
            ("one at a time", trace, OneByOne()),
            ("static strips", strips(trace), OneByOne()),
        ):
            outcome = simulate(requests, rates, policy, model, group).as_json()
            rows.append({"workers": workers, "group": group, "speeds": speeds, "way": name, **outcome})
    print_table(rows)
    return {"active_fraction": 0.4, "cost": model.__dict__, "rows": rows}


def print_table(rows: list[dict[str, Any]]) -> None:
    names = [name for name in rows[0] if not isinstance(rows[0][name], dict)]
    shown = [names, *([str(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in shown) for at in range(len(names))]
    for line in shown:
        print("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)))


PARTS = {
    "gpu": gpu,
    "cost": cost,
    "equal": equal,
    "quality": quality,
    "bytes": sent,
    "throughput": throughput,
    "schedule": schedule,
}


SHORT = {"prompts": 2, "repeats": 1, "requests": 2, "rounds": 1, "steps": 8}


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--judge", default=None, help="folder of the pocket judges")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--tuning", action="store_true", help="quality on prompts to choose by")
    parser.add_argument("--fraction", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--requests", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS, help="of the requests of throughput")
    parser.add_argument("--networks", nargs="+", choices=("pocket", "wide"), default=["pocket", "wide"])
    parser.add_argument("--ways", nargs="+", choices=BACKLOG_WAYS, default=list(BACKLOG_WAYS))
    parser.add_argument("--short", action="store_true", help="every table in minutes, from few runs; nothing is kept")
    args = parser.parse_args(words)
    if args.short:
        vars(args).update(SHORT)
    torch.set_num_threads(1)
    for name in args.only:
        print(f"\n{name}", flush=True)
        found = PARTS[name](args)
        if name == "quality":
            print_table(found["rows"])
        if args.tuning or args.short:
            continue
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        key = f"quality at {args.fraction}" if name == "quality" and args.fraction != 0.5 else name
        RESULTS.write_text(json.dumps({**results, key: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
