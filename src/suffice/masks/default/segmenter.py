"""The segmenter that needs no segmentation weights: ``default``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.masks.default.box_prior import BoxXyxy, box_prior
from suffice.masks.default.click_prior import click_prior, on_click, sure_of
from suffice.masks.default.click_regions import detected_around, neighbourhoods
from suffice.masks.default.click_score import Reading, rated
from suffice.masks.default.effort import FULL, Effort, effort_named
from suffice.masks.default.expected_iou import best_cut, expected_iou
from suffice.masks.default.figure import Seen, figure, look_at
from suffice.masks.default.mask_prior import mask_prior
from suffice.masks.default.view import Plane, View, stretched, view_of
from suffice.masks.found import Candidate
from suffice.masks.prompt import ThingPrompt
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask
from suffice.models.protocol import Image
from suffice.models.weights import weights_version

CODE_REVISION = 1
VIEWS_KEPT = 32
SECOND_LOOKS = 2
DETECTION_SCORE_MIN = 0.3
DETECTIONS_TRIED = 2
TIGHTER, LOOSER = 1.5, -1.5


@dataclass
class Encoded:
    """A picture and what was seen of it so far: views are looked at when a prompt first needs them."""

    image: Image
    effort: Effort = FULL
    seen: OrderedDict[tuple[int, ...], Seen] = field(default_factory=OrderedDict)
    boxes: list[BoxXyxy] | None = None
    lock: Lock = field(default_factory=Lock)

    @property
    def wh(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    def look(self, view: View) -> Seen:
        """`view` seen, from memory when it was seen lately."""
        key = tuple(view.window)
        with self.lock:
            if key not in self.seen:
                self.seen[key] = look_at(view, self.effort)
                if len(self.seen) > VIEWS_KEPT:
                    self.seen.popitem(last=False)
            return self.seen[key]


class DefaultSegmenter:
    """Figure against ground by colours and MobileNetV2's activations, spread to the picture's edges.

    A box gives a prior; pixels are divided into groups by what they look like, several ways; groups that live outside
    the box are ground; the rest is averaged, smoothed along edges, and cut where the expected overlap is highest, so
    that what cannot be told apart falls back to the box. A click is given the box of a detected thing around it, or
    else a neighbourhood.
    """

    def __init__(self, effort: str = FULL.name) -> None:
        self.effort = effort_named(effort)
        self.name = "default" if self.effort is FULL else f"default:{effort}"

    @property
    def version(self) -> str:
        return weights_version(CODE_REVISION, asset_path("mobilenet_v2_224.onnx"), asset_path("nanodet_g_416.onnx"))

    def encode(self, image: Image) -> Encoded:
        return Encoded(image, self.effort)

    def segment(self, encoded: Encoded, things: Sequence[ThingPrompt]) -> list[tuple[Candidate, ...]]:
        return [_segment(encoded, thing) for thing in things]

    def everything(self, encoded: Encoded) -> list[Candidate]:
        from suffice.masks.default.everything import everything

        return everything(encoded.image, _detected(encoded), partial(_in_box, encoded))


def _segment(encoded: Encoded, thing: ThingPrompt) -> tuple[Candidate, ...]:
    if thing.box_xyxy is not None or thing.mask is not None:
        box = thing.box_xyxy or _grown_box(thing.mask)
        return _in_box(encoded, _inside_picture(box, encoded.wh), thing)
    return _by_clicks(encoded, thing)


def _in_box(encoded: Encoded, box: BoxXyxy, thing: ThingPrompt) -> tuple[Candidate, ...]:
    """Three readings of what fills a box: the one expected to overlap best, a tighter and a looser one."""
    view = view_of(encoded.image, box, encoded.effort.side_px)
    prior, possible = box_prior(view, box, encoded.wh)
    if thing.mask is not None:
        prior = mask_prior(view, thing.mask, prior)
    probability = _looked_at(encoded.look(view), prior, possible, sure_of(view, thing.points))
    within = _pixels_of(box, encoded.wh)
    return _candidates(view, probability, possible, within)


def _looked_at(seen: Seen, prior: Plane, possible: npt.NDArray[np.bool_], sure: Plane | None) -> Plane:
    """The first answer, mixed with the prior, is the prior of the second look."""
    probability = figure(seen, prior, possible, sure)
    for _ in range(SECOND_LOOKS):
        mixed = np.asarray(np.clip((probability + prior) / 2, 0.02, 0.95) * possible, np.float32)
        probability = figure(seen, mixed, possible, sure)
    return probability


def _candidates(view: View, probability: Plane, possible: npt.NDArray[np.bool_], within: Mask) -> tuple[Candidate, ...]:
    odds = np.log(np.clip(probability, 1e-3, 0.999) / (1 - np.clip(probability, 1e-3, 0.999)))
    readings = []
    for shift in (0.0, -TIGHTER, -LOOSER):
        shifted = np.asarray(1 / (1 + np.exp(-(odds + shift))) * possible, np.float32)
        cut = best_cut(shifted[possible])
        score = expected_iou(probability[possible], shifted[possible] >= cut.threshold)
        readings.append(Candidate(_drawn(view, shifted, cut.threshold, within), score))
    return tuple(readings)


def _drawn(view: View, probability: Plane, threshold: float, within: Mask) -> Mask:
    """The mask in the picture of what is at or above `threshold` in the view; all of `within` when that is nothing."""
    window = view.window
    wh = (window.x1 - window.x0, window.y1 - window.y0)
    mask = np.zeros(within.shape, bool)
    mask[window.y0 : window.y1, window.x0 : window.x1] = stretched(probability, wh) >= threshold
    mask &= within
    return mask if mask.any() else within


def _by_clicks(encoded: Encoded, thing: ThingPrompt) -> tuple[Candidate, ...]:
    """The readings of the likeliest thing around the clicks, at most three, best first."""
    around = detected_around(_detected(encoded), thing.points)[:DETECTIONS_TRIED]
    readings = [Reading(_in_box(encoded, box, thing)[0], True) for box in around]
    readings += [Reading(_grown_from(encoded, box, thing), False) for box in neighbourhoods(thing.points, *encoded.wh)]
    clicked = [each for each in readings if _holds(each.candidate.mask, thing)]
    return tuple(rated(clicked)[:3]) if clicked else (Candidate(_dots(encoded, thing), 0.01),)


def _holds(mask: Mask, thing: ThingPrompt) -> bool:
    """Whether the first click on the thing is in its mask."""
    first = next(point for point in thing.points if point.is_on)
    return bool(mask[int(first.y), int(first.x)])


def _dots(encoded: Encoded, thing: ThingPrompt) -> Mask:
    """The clicked pixels: what is left when nothing around them holds together."""
    mask = np.zeros(encoded.wh[::-1], bool)
    for point in thing.points:
        mask[int(point.y), int(point.x)] |= point.is_on
    return mask


def _grown_from(encoded: Encoded, box: BoxXyxy, thing: ThingPrompt) -> Candidate:
    """What hangs together with the clicks inside a neighbourhood."""
    view = view_of(encoded.image, box, encoded.effort.side_px)
    prior, possible = click_prior(view, box, thing.points)
    probability = _looked_at(encoded.look(view), prior, possible, sure_of(view, thing.points))
    cut = best_cut(probability[possible])
    connected = on_click(probability >= cut.threshold, view, thing.points)
    score = expected_iou(probability[possible], connected[possible]) * _settled(connected, possible)
    everywhere = np.ones(encoded.wh[::-1], bool)
    mask = _drawn(view, connected.astype(np.float32), 0.5, everywhere) if connected.any() else ~everywhere
    return Candidate(mask, score)


def _settled(connected: Mask, possible: npt.NDArray[np.bool_]) -> float:
    """How much of the figure's outline lies inside the neighbourhood: one that fills it has not ended there."""
    edge = np.zeros_like(possible)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    return 1 - float((connected & edge & possible).sum() / max((edge & possible).sum(), 1))


def _detected(encoded: Encoded) -> list[BoxXyxy]:
    """Boxes of the packaged detector, best first."""
    from suffice.models.detect import detect

    if encoded.boxes is None:
        model = detect(min_score=DETECTION_SCORE_MIN)
        rows = model.predict([model.prepare(encoded.image)])[0]
        assert not isinstance(rows, Exception)
        encoded.boxes = [(float(row[3]), float(row[4]), float(row[5]), float(row[6])) for row in rows]
    return encoded.boxes


def _grown_box(mask: Mask | None) -> BoxXyxy:
    assert mask is not None
    box = mask_box(mask)
    margin = max(round(0.08 * max(box.x1 - box.x0, box.y1 - box.y0)), 2)
    grown = mask_box(mask, margin)
    return float(grown.x0), float(grown.y0), float(grown.x1), float(grown.y1)


def _inside_picture(box: BoxXyxy, wh: tuple[int, int]) -> BoxXyxy:
    return max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(wh[0])), min(box[3], float(wh[1]))


def _pixels_of(box: BoxXyxy, wh: tuple[int, int]) -> Mask:
    within = np.zeros(wh[::-1], bool)
    x0, y0, x1, y1 = int(box[0]), int(box[1]), int(np.ceil(box[2])), int(np.ceil(box[3]))
    within[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = True
    return within
