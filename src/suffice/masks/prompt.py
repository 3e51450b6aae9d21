"""What is asked for: points, boxes, words, a mask from before; any mix, several things at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suffice.errors import UsageError
from suffice.media.mask_rle import Mask

BoxXyxy = tuple[float, float, float, float]


class PromptOutsideError(UsageError):
    """The prompt does not fit this picture; it may fit the next."""


@dataclass(frozen=True)
class Point:
    """A click in pixels of the picture: on the thing, or (`is_on` False) on what is not of it."""

    x: float
    y: float
    is_on: bool = True


@dataclass(frozen=True, eq=False)
class ThingPrompt:
    """One thing. At least one of `points` (a positive one), `box_xyxy` and `mask` is given.

    Attributes:
        points: clicks.
        box_xyxy: around the thing, right and bottom edges exclusive.
        mask: from before, of the picture's size, to be made better.
        label: what to call the thing in the answer.
        label_score: how sure whoever named it was, None when a user did.
    """

    points: tuple[Point, ...] = ()
    box_xyxy: BoxXyxy | None = None
    mask: Mask | None = None
    label: str = ""
    label_score: float | None = None


@dataclass(frozen=True)
class Prompt:
    """Everything asked about one picture.

    Attributes:
        things: prompted one by one.
        texts: words for things that are to be found first.
        box_score_min: leave out found boxes below it; None: the finder's own default.
        text_score_min: how well a box must fit the word, where the finder tells that apart.
        iou_max: of two found boxes that overlap more, the better stays.
        chosen: numbers (from 0, best first) of the found boxes to go on with; None: all.
        everything: whatever there is, unasked.
    """

    things: tuple[ThingPrompt, ...] = ()
    texts: tuple[str, ...] = ()
    box_score_min: float | None = None
    text_score_min: float | None = None
    iou_max: float = 0.7
    chosen: tuple[int, ...] | None = None
    everything: bool = False


def box_prompt(*boxes_xyxy: BoxXyxy) -> Prompt:
    """One thing a box."""
    return Prompt(things=tuple(ThingPrompt(box_xyxy=box) for box in boxes_xyxy))


def point_prompt(*points: Point) -> Prompt:
    """One thing, by all `points`."""
    return Prompt(things=(ThingPrompt(points=points),))


def text_prompt(*texts: str) -> Prompt:
    """Whatever these words find."""
    return Prompt(texts=texts)


def checked(prompt: Prompt, width: int, height: int) -> Prompt:
    """`prompt` itself when it can be asked of a picture of this size.

    Raises:
        PromptOutsideError: a point or box lies outside, or a mask is of another size.
        UsageError: nothing is asked, a text is empty, a box has no area.
    """
    if not (prompt.things or prompt.texts or prompt.everything):
        raise UsageError("nothing is asked: give a text, a point, a box or a mask, or ask for everything")
    for text in prompt.texts:
        if not text.strip(" ."):
            raise UsageError("the text to look for is empty")
    for thing in prompt.things:
        _check_thing(thing, width, height)
    return prompt


def _check_thing(thing: ThingPrompt, width: int, height: int) -> None:
    size = f"a picture of {width} x {height}"
    for point in thing.points:
        if not (0 <= point.x < width and 0 <= point.y < height):
            raise PromptOutsideError(f"the point {point.x:g},{point.y:g} is outside {size}")
    if thing.box_xyxy is not None:
        _check_box(thing.box_xyxy, width, height)
    if thing.mask is not None and thing.mask.shape != (height, width):
        raise PromptOutsideError(f"a mask of {thing.mask.shape[1]} x {thing.mask.shape[0]} does not fit {size}")
    has_place = thing.box_xyxy is not None or (thing.mask is not None and bool(np.any(thing.mask)))
    if not has_place and not any(point.is_on for point in thing.points):
        raise UsageError("a thing needs a point on it, a box or a mask that is not empty")


def _check_box(box_xyxy: Sequence[float], width: int, height: int) -> None:
    shown = ",".join(f"{value:g}" for value in box_xyxy)
    if len(box_xyxy) != 4 or not all(math.isfinite(value) for value in box_xyxy):
        raise UsageError(f"a box is X0,Y0,X1,Y1 in pixels, not {shown}")
    x0, y0, x1, y1 = box_xyxy
    if x1 <= x0 or y1 <= y0:
        raise UsageError(f"the box {shown} has no area: it is X0,Y0,X1,Y1 with X0 < X1 and Y0 < Y1")
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise PromptOutsideError(f"the box {shown} is outside a picture of {width} x {height}")
