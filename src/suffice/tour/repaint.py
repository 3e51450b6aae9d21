"""Third chapter: one of the people is painted over, in every frame, and nothing else changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from suffice.tour.chapter import Chapter, Figure, Trip
from suffice.tour.tracks import MaskedFrame, longest, read_tracks

if TYPE_CHECKING:
    from suffice.diffusion.animator import Animator
    from suffice.media.mask_rle import Mask
    from suffice.models.protocol import Image

ERASED, REPAINTED = "a gray background", "a large red heart on a gray background"
GROW_PX, AROUND_PX, SHOWN = 5, 70, 3


def repaint(trip: Trip) -> Chapter:
    """Erases a person along its track; and puts a heart in its place once."""
    from suffice.diffusion.animator import Animator

    frames = read_tracks(trip.tracks)
    number, animator, steps = longest(frames), Animator("pocket"), 4 if trip.is_quick else 12
    masked = [frame for frame in frames if frame.thing(number)]
    changed = outside = pixels = 0
    figures: list[Figure] = []
    for place, (frame, image) in enumerate(_pictures(trip, masked)):
        area = _grown(frame, number)
        erased = _painted(trip, animator, image, area, ERASED, steps)
        differs = (erased != image).any(-1)
        changed, outside, pixels = (
            changed + int(differs.sum()),
            outside + int((differs & ~area).sum()),
            pixels + area.size,
        )
        if len(figures) < SHOWN:
            heart = [] if place else [_painted(trip, animator, image, area, REPAINTED, steps)]
            said = "As it was, erased" + (", and repainted." if heart else ".")
            figures.append(Figure(_beside(area, image, erased, *heart), said))
    return Chapter(
        title="Erase it, or paint something else there",
        asked=(
            f"suffice inpaint frame.png --mask thing.json --prompt '{ERASED}' --steps {steps} --out erased.png\n"
            f"suffice inpaint frame.png --mask thing.json --prompt '{REPAINTED}' --steps {steps} --out heart.png"
        ),
        told=(
            f"Person {number} is painted over in {len(masked)} frames by the tiny diffusion model that ships. It knows"
            " plain grounds and coloured shapes and nothing of streets, so the ground it paints is plain. A Stable"
            " Diffusion checkpoint takes the same command."
        ),
        left_out=f"{1 - changed / pixels:.1%} of the pixels were not painted",
        sure=f"{outside} pixels outside the masks differ from the video's own",
        facts={"person": number, "frames": len(masked), "pixels_changed": changed, "pixels_changed_outside": outside},
        figures=figures,
    )


def _pictures(trip: Trip, frames: list[MaskedFrame]) -> list[tuple[MaskedFrame, Image]]:
    indices = ", ".join(str(frame.frame_index) for frame in frames)
    rows = trip.con.sql(
        f"SELECT image FROM frames('{trip.clip}') WHERE frame_index IN ({indices}) ORDER BY frame_index"
    ).fetchall()
    return [(frame, trip.con.image(str(image))) for frame, (image,) in zip(frames, rows, strict=True)]


def _grown(frame: MaskedFrame, number: int) -> Mask:
    from suffice.masks.steps import parse_step, take_steps

    thing = frame.thing(number)
    assert thing is not None
    return take_steps(thing.mask, [parse_step(f"grow={GROW_PX}")])


def _painted(trip: Trip, animator: Animator, image: Image, area: Mask, prompt: str, steps: int) -> Image:
    import PIL.Image

    from suffice.diffusion.settings import settings_from
    from suffice.media.mask_rle import encode_rle

    source = trip.out / "masks" / "frame.png"
    PIL.Image.fromarray(image).save(source)
    wanted = {"init": str(source), "mask": json.dumps(encode_rle(area)), "timeline": prompt, "frames": 1, "seed": 1}
    clip = animator.animate(settings_from({**wanted, "only_masked": True, "steps": steps}), lambda *_: None)
    return next(iter(clip.frames))


def _beside(area: Mask, *pictures: Image) -> Image:
    """The part of each picture around the mask, beside each other."""
    rows, columns = np.nonzero(area)
    y, x = max(0, rows.min() - AROUND_PX), max(0, columns.min() - AROUND_PX)
    return np.concatenate([each[y : rows.max() + AROUND_PX, x : columns.max() + AROUND_PX] for each in pictures], 1)
