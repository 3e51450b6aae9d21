"""Train the whole pocket family: `python -m suffice.diffusion.pocket.train [--stage NAME] [--work DIR] [--out DIR]`.

Stages run in order, from fixed seeds. Each keeps a checkpoint in the work folder and goes on from there when run
again; a finished one is passed over. At the end the parts are written to the out folder as half-precision safetensors.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

STAGES = ("vae", "text", "unet", "motion", "controlnet", "inpaint", "lcm", "motion_lora")


def main(arguments: list[str] | None = None) -> None:
    """Run one stage, or all of them and then write the family."""
    parser = argparse.ArgumentParser(prog="python -m suffice.diffusion.pocket.train", description=__doc__)
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--work", type=Path, default=Path("out/pocket"), help="checkpoints and curves")
    parser.add_argument("--out", type=Path, default=Path("out/pocket/family"), help="the trained models")
    chosen = parser.parse_args(arguments)
    for stage in [chosen.stage] if chosen.stage else STAGES:
        import_module(f"suffice.diffusion.pocket.stages.{stage}").train(chosen.work)
    if not chosen.stage:
        from suffice.diffusion.pocket.assemble import assemble

        assemble(chosen.work, chosen.out)


if __name__ == "__main__":
    main()
