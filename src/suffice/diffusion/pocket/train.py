"""Train the whole pocket family: `python -m suffice.diffusion.pocket.train [--stage NAME] [--work DIR]`."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

STAGES = ("vae",)


def main(arguments: list[str] | None = None) -> None:
    """Run one stage or all of them; a finished or half-finished stage goes on from its checkpoint."""
    parser = argparse.ArgumentParser(prog="suffice.diffusion.pocket.train", description=__doc__)
    parser.add_argument("--stage", choices=STAGES)
    parser.add_argument("--work", type=Path, default=Path("out/pocket"))
    chosen = parser.parse_args(arguments)
    for stage in [chosen.stage] if chosen.stage else STAGES:
        import_module(f"suffice.diffusion.pocket.stages.{stage}").train(chosen.work)


if __name__ == "__main__":
    main()
