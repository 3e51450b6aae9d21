"""Train the whole pocket family: `python -m suffice.diffusion.pocket.train [--stage NAME] [--device cuda]`.

Stages run in order, from fixed seeds. Each keeps a checkpoint in the work folder and goes on from there when run
again; a finished one is passed over, unless it is asked to train longer. At the end the parts are written to the out
folder as half-precision safetensors.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

STAGES = ("vae", "text", "unet", "motion", "moves", "controlnet", "inpaint", "lcm", "motion_lora")


def _train(stage: str, work: Path, longer: float) -> None:
    module: Any = import_module(f"suffice.diffusion.pocket.stages.{stage}")
    module.PLAN = replace(module.PLAN, steps=round(module.PLAN.steps * longer))
    module.train(work)


def main(arguments: list[str] | None = None) -> None:
    """Run one stage, or all of them and then write the family."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m suffice.diffusion.pocket.train", description=__doc__)
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--work", type=Path, default=Path("out/pocket"), help="checkpoints and curves")
    parser.add_argument("--out", type=Path, default=Path("out/pocket/family"), help="the trained models")
    parser.add_argument("--longer", type=float, default=1.0, help="train each stage this many times as long")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda: minutes instead of hours")
    chosen = parser.parse_args(arguments)
    torch.set_default_device(chosen.device)
    for stage in [chosen.stage] if chosen.stage else STAGES:
        _train(stage, chosen.work, chosen.longer)
    if not chosen.stage:
        torch.set_default_device("cpu")
        from suffice.diffusion.pocket.assemble import assemble

        assemble(chosen.work, chosen.out)


if __name__ == "__main__":
    main()
