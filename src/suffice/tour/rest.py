"""Fourth chapter: a picture whose settled regions rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from suffice.tour.chapter import Chapter, Figure, Trip

PROMPT = "a small blue square left of a yellow circle on a beige background"


def rest(trip: Trip) -> Chapter:
    """Draws with half of the work, and again with all of it, to see what it cost."""
    from PIL import Image

    from suffice.regional.run import run_to_file
    from suffice.regional.settings import RequestSettings, parse_skip

    def drawn(skip: str, name: str) -> Any:
        settings = RequestSettings(PROMPT, steps=8 if trip.is_quick else 20, seed=0, skip=parse_skip(skip))
        return run_to_file(settings, trip.out / name, explain=skip != "off")

    whole, part = drawn("off", "whole.png"), drawn("budget=0.5", "part.png")
    pictures = [np.asarray(Image.open(report.file).convert("RGB")) for report in (whole, part)]
    away = float(np.abs(pictures[0].astype(float) - pictures[1]).mean())
    share = part.flops_executed / part.flops_dense
    return Chapter(
        title="Let what has settled rest",
        asked=f'suffice regional run "{PROMPT}" --skip budget=0.5 --explain --out part.png',
        told=(
            f"A diffusion model runs its whole network over the whole picture at every step. Here {part.regions}"
            " regions run only while they change: blue steps ran whole, green regions ran, grey ones rested."
        ),
        left_out=f"{1 - share:.0%} of the network's work ({(part.flops_dense - part.flops_executed) / 1e9:.1f} GFLOP)",
        sure=f"no promise: it differs from the whole run by {away:.1f} of 255 a pixel, on average",
        facts={
            "flops_executed": part.flops_executed,
            "flops_dense": part.flops_dense,
            "mean_difference": round(away, 3),
        },
        figures=[
            Figure(
                np.asarray(Image.open(part.explain).convert("RGB")),
                "Where the words look, the regions, the steps.",
                True,
            ),
            Figure(
                np.kron(np.concatenate(pictures, 1), np.ones((4, 4, 1), np.uint8)), "The whole run, and half of it."
            ),
        ],
    )
