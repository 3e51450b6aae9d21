"""``detect(image)``: the 80 kinds of thing of COCO, found by NanoDet-g 416."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.models.batch_model import BatchModel
from suffice.models.detection_columns import DETECTION_COLUMNS
from suffice.models.found_boxes import FoundBoxes, settle
from suffice.models.gfl_head import read_gfl_head
from suffice.models.nanodet_side import SIDE, SIDE_MAX, SIDE_MIN, at_side, checked_side
from suffice.models.onnx_session import OnnxSession, concurrency, normalise
from suffice.models.options import Option, read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
OPTIONS = {
    "min_score": Option(0.5, 0.0, 1.0),
    "max_objects": Option(100, 1, 1000),
    "side": Option(SIDE, SIDE_MIN, SIDE_MAX),
}
ROUGH = {"side": 192, "min_score": 0.3}
"""A quarter of the time, and what it counts goes with what the full size counts."""
STRIDES = (8, 16, 32)
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)
IOU_MAX = 0.5


class Prepared(NamedTuple):
    """A picture at the size of the net, uint8 ``[3, height, width]`` BGR, and the (width, height) it had."""

    planes: npt.NDArray[np.uint8]
    picture_wh: tuple[int, int]


def detect(**options: Any) -> Model:
    """Things in a picture: a row each, best score first, its box in pixels of the picture.

    Options: ``min_score`` (0 to 1): leave out what is less certain; ``max_objects``: keep the best so many. The
    smaller that is, the fewer pictures an approximate count has to look at; ``side``: pixels of the square that the
    net sees, a multiple of 32; time goes with its square.
    """
    values = read_options("detect", OPTIONS, options)
    path, side = asset_path("nanodet_g_416.onnx"), checked_side(values["side"])
    signature = Signature(
        name="detect",
        version=weights_version(CODE_REVISION, path),
        inputs=(Column("image", IMAGE),),
        outputs=DETECTION_COLUMNS,
        returns="rows",
        options={name: value for name, value in values.items() if name != "side" or side != SIDE},
        concurrency=concurrency(),
        cost_s=0.037 * (side / SIDE) ** 2,
        rows_max=int(values["max_objects"]),
        ranges={"score": (values["min_score"] - 1e-6, 1.0), "object_id": (0, values["max_objects"] - 1)},
        rough=ROUGH if side > ROUGH["side"] else {},
    )
    return BatchModel(
        signature,
        prepare=lambda image: squeeze(image, side, side),
        predict=partial(_predict, _session(side), side, values["min_score"], int(values["max_objects"])),
    )


@lru_cache(maxsize=4)
def _session(side: int) -> OnnxSession:
    return OnnxSession(asset_path("nanodet_g_416.onnx"), change=at_side(side))


def squeeze(image: Image, width: int, height: int) -> Prepared:
    """`image` at a size; normalising waits until the net runs, so queues hold bytes and not floats."""
    from PIL import Image as Pillow

    small = np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BILINEAR))
    return Prepared(np.ascontiguousarray(small.transpose(2, 0, 1)[::-1]), (image.shape[1], image.shape[0]))


def _predict(
    session: OnnxSession, side: int, min_score: float, max_objects: int, batch: Sequence[Prepared]
) -> list[list[Row]]:
    rows = []
    for part in session.parts(batch):
        outputs = session.run({"image": normalise([item.planes for item in part], MEAN_BGR, STD_BGR)})
        for index, item in enumerate(part):
            ours = {name: value[index] for name, value in outputs.items()}
            found = settle(read_gfl_head(ours, side, STRIDES, min_score), (side, side), item.picture_wh, IOU_MAX)
            rows.append(labelled_rows(found, labels())[:max_objects])
    return rows


def labelled_rows(found: FoundBoxes, names: Sequence[str]) -> list[Row]:
    """A row for each box: its number, label, score, x0, y0, x1, y1."""
    columns = zip(found.class_ids.tolist(), found.scores.tolist(), found.boxes_xyxy.tolist(), strict=True)
    return [(number, names[class_id], score, *box) for number, (class_id, score, box) in enumerate(columns)]


@cache
def labels() -> tuple[str, ...]:
    """The 80 names of COCO, in the net's order."""
    return tuple(asset_path("coco_labels.txt").read_text("utf-8").splitlines())
