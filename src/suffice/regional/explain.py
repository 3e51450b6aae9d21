"""What a request did, as one picture: where the words look, the regions, and which of them ran in each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from suffice.media.image import Image
    from suffice.regional.course import Course, StepPlan

PANEL, SMALL, GAP, LINE = 256, 76, 12, 18
RAN, RESTED, WHOLE = (46, 125, 80), (225, 225, 225), (70, 110, 190)
BACK, INK = (255, 255, 255), (30, 30, 30)


def explain_picture(course: Course, image: Image) -> Image:
    """The first picture of `course` after its last step, with its maps, as one RGB picture."""
    import PIL.Image
    from PIL import ImageDraw

    a_row = max(4, (3 * (PANEL + GAP)) // (SMALL + GAP))
    rows = -(-len(course.plans) // a_row)
    size = (GAP + 3 * (PANEL + GAP), LINE + PANEL + GAP + rows * (SMALL + LINE + GAP) + 2 * LINE)
    sheet = PIL.Image.new("RGB", size, BACK)
    draw = ImageDraw.Draw(sheet)
    panels = {"picture": image, "attention of the words": _heat(course, image), "regions": _regions(course, image)}
    for place, (title, pixels) in enumerate(panels.items()):
        left = GAP + place * (PANEL + GAP)
        draw.text((left, 3), title, fill=INK)
        sheet.paste(_enlarged(pixels, PANEL), (left, LINE))
    for number, plan in enumerate(course.plans):
        row, column = divmod(number, a_row)
        left, top = GAP + column * (SMALL + GAP), LINE + PANEL + GAP + row * (SMALL + LINE + GAP)
        draw.text((left, top), f"{number + 1}: {len(plan.tiles) / course.grid.count:.0%}", fill=INK)
        sheet.paste(_enlarged(_step(course, plan), SMALL), (left, top + LINE))
    _legend(draw, size[1] - 2 * LINE + 4)
    return np.asarray(sheet)


def _legend(draw: Any, top: int) -> None:
    entries = ((WHOLE, "whole step"), (RAN, "region ran"), (RESTED, "region rested"))
    for place, (colour, text) in enumerate(entries):
        left = GAP + place * 150
        draw.rectangle((left, top, left + 14, top + 14), fill=colour, outline=INK)
        draw.text((left + 20, top + 1), text, fill=INK)


def _enlarged(pixels: NDArray[np.uint8], side: int) -> Any:
    import PIL.Image

    picture = PIL.Image.fromarray(pixels)
    scale = side / max(picture.size)
    return picture.resize([max(1, round(one * scale)) for one in picture.size], PIL.Image.Resampling.NEAREST)


def _heat(course: Course, image: Image) -> NDArray[np.uint8]:
    """The picture in grey under the words' mean attention: dark blue is none, yellow is most."""
    if course.word_maps is None:
        return np.zeros_like(image)
    share = course.word_maps.mean(0).float().numpy()
    share = (share - share.min()) / max(float(np.ptp(share)), 1e-12)
    heat = np.stack([share, share * 0.85, 0.55 - 0.45 * share], -1) * 255
    heat = np.asarray(_stretched(heat.astype(np.uint8), image.shape), dtype=np.float64)
    grey = image.mean(-1, keepdims=True).repeat(3, -1)
    return np.asarray(0.3 * grey + 0.7 * heat, dtype=np.uint8)


def _stretched(pixels: NDArray[np.uint8], shape: tuple[int, ...]) -> Any:
    import PIL.Image

    return PIL.Image.fromarray(pixels).resize((shape[1], shape[0]), PIL.Image.Resampling.BILINEAR)


def _regions(course: Course, image: Image) -> NDArray[np.uint8]:
    """Each region in a colour of its own; regions of the words' subject are bright."""
    rows, columns = course.grid.rows, course.grid.columns
    out = np.full((rows * columns, 3), 40, dtype=np.uint8)
    for number, region in enumerate(course.regions):
        bright = course.subject is not None and bool(course.subject[region[0]])
        out[list(region)] = _colour(number, 235 if bright else 130)
    return np.kron(out.reshape(rows, columns, 3), np.ones((12, 12, 1), dtype=np.uint8))


def _colour(number: int, value: int) -> tuple[int, ...]:
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb(number * 0.618 % 1, 0.45, value / 255)
    return tuple(round(255 * one) for one in (red, green, blue))


def _step(course: Course, plan: StepPlan) -> NDArray[np.uint8]:
    rows, columns = course.grid.rows, course.grid.columns
    out = np.full((rows * columns, 3), RESTED, dtype=np.uint8)
    out[list(plan.tiles)] = RAN if plan.kind == "some" else WHOLE
    cells = np.kron(out.reshape(rows, columns, 3), np.ones((12, 12, 1), dtype=np.uint8))
    cells[::12] = cells[:, ::12] = 255
    return cells
