"""One training loop for every stage: warm-up and cosine rate, running average, checkpoints, a kept curve.

Step `n` draws from a generator seeded by (seed, n), so a resumed run sees what an unbroken one would. All of it runs
on torch's default device; draws on a GPU are others than on a CPU.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train one stage."""

    name: str
    steps: int
    rate: float
    seed: int
    average: float = 0.999
    save_every: int = 200
    decay: float = 0.01
    optimiser: str = "adam"


def rate_at(plan: Plan, step: int) -> float:
    """Return the learning rate at a step: linear warm-up over 2 % of the steps, then a cosine to 2 % of the peak."""
    warm = max(20, plan.steps // 50)
    if step < warm:
        return plan.rate * (step + 1) / warm
    along = (step - warm) / max(1, plan.steps - warm)
    return plan.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * along)))


class Averaged:
    """A running average of a module's trained weights, short at first and longer with the steps (Polyak)."""

    def __init__(self, weights: dict[str, Any], longest: float) -> None:
        self.longest = longest
        self.weights = {name: value.detach().clone() for name, value in weights.items()}

    def follow(self, weights: dict[str, Any], step: int) -> None:
        """Move towards `weights`."""
        import torch

        keep = min(self.longest, (1 + step) / (10 + step))
        ours = list(self.weights.values())
        torch._foreach_lerp_(ours, [weights[name].detach() for name in self.weights], 1 - keep)


def _trained(module: Any) -> dict[str, Any]:
    return {name: value for name, value in module.named_parameters() if value.requires_grad}


def _optimiser(plan: Plan, weights: list[Any]) -> Any:
    import torch

    from suffice.diffusion.pocket.muon import muon

    if plan.optimiser == "muon":
        return muon(weights, plan.rate, plan.decay)
    on_gpu = weights[0].is_cuda
    return torch.optim.AdamW(
        weights, lr=plan.rate, weight_decay=plan.decay, betas=(0.9, 0.99), foreach=True, capturable=on_gpu
    )


def _save(path: Path, step: int, module: Any, average: Averaged, optimiser: Any, curve: list[Any]) -> None:
    import torch

    state = {
        "step": step,
        "weights": {name: value.detach() for name, value in _trained(module).items()},
        "average": average.weights,
        "optimiser": optimiser.state_dict(),
    }
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    path.with_suffix(".json").write_text(json.dumps(curve) + "\n")


def _resume(path: Path, module: Any, average: Averaged, optimiser: Any) -> tuple[int, list[Any]]:
    import torch

    if not path.exists():
        return 0, []
    state = torch.load(path, weights_only=True, map_location=torch.get_default_device())
    module.load_state_dict(state["weights"], strict=False)
    average.weights = state["average"]
    if len(state["optimiser"]["param_groups"]) == len(
        optimiser.param_groups
    ):  # else the stage has changed its optimiser
        optimiser.load_state_dict(state["optimiser"])
    return int(state["step"]), json.loads(path.with_suffix(".json").read_text())


def _show(plan: Plan, step: int, loss: float, began: float, first: int) -> None:
    per_step = (time.monotonic() - began) / (step + 1 - first)
    left_s = per_step * (plan.steps - step - 1)
    print(
        f"{plan.name} {step + 1}/{plan.steps} loss {loss:.5f} {per_step:.3f} s/step, {left_s:.0f} s left",
        file=sys.stderr,
        flush=True,
    )


def fit(plan: Plan, module: Any, loss_at: Callable[[int, Any], Any], folder: Path) -> None:
    """Train `module` on `loss_at(step, generator)` and leave it holding the averaged weights.

    Keeps `folder/NAME.pt` (resumed from when there) and the curve `folder/NAME.json`: [step, mean loss, seconds].
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    device = torch.get_default_device()
    path = folder / f"{plan.name}.pt"
    weights = _trained(module)
    optimiser = _optimiser(plan, list(weights.values()))
    average = Averaged(weights, plan.average)
    first, curve = _resume(path, module, average, optimiser)
    began, recent = time.monotonic(), []
    for step in range(first, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(plan, step)
        loss = loss_at(step, torch.Generator(device).manual_seed(plan.seed * 1_000_003 + step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        average.follow(weights, step)
        recent.append(loss.detach())
        if (step + 1) % 25 == 0 or step + 1 == plan.steps:
            mean = float(torch.stack(recent).mean())
            curve.append([step + 1, round(mean, 6), round(time.monotonic() - began, 1)])
            _show(plan, step, curve[-1][1], began, first)
            recent = []
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            _save(path, step + 1, module, average, optimiser, curve)
    module.load_state_dict(average.weights, strict=False)
