"""``detect(image)``: the 80 kinds of thing of COCO, found by NanoDet-g 416."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.models.batch_model import BatchModel
from suffice.models.nms import nms
from suffice.models.onnx_session import OnnxSession, Tensor, concurrency, normalise, shared_session
from suffice.models.options import Option, read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
OPTIONS = {"min_score": Option(0.5, 0.0, 1.0)}
SIDE = 416
STRIDES = (8, 16, 32)
BINS = 11
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)
IOU_MAX = 0.5
# Bounds the n² of suppression when min_score is near 0.
CANDIDATES_MAX = 1000
OUTPUTS = (
    Column("object_id", "INTEGER"),
    Column("label", "VARCHAR"),
    Column("score", "DOUBLE"),
    Column("x0", "DOUBLE"),
    Column("y0", "DOUBLE"),
    Column("x1", "DOUBLE"),
    Column("y1", "DOUBLE"),
)


class Prepared(NamedTuple):
    """A picture at the size of the net, uint8 ``[3, 416, 416]`` BGR, and the pixels it had."""

    planes: npt.NDArray[np.uint8]
    width: int
    height: int


class Candidates(NamedTuple):
    """Boxes in pixels of the net's input ``[n, 4]``, with a score and a class each."""

    boxes_xyxy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.intp]


def detect(**options: Any) -> Model:
    """Things in a picture: a row each, best score first, its box in pixels of the picture.

    Options: ``min_score`` (0 to 1): leave out what is less certain.
    """
    values = read_options("detect", OPTIONS, options)
    path = asset_path("nanodet_g_416.onnx")
    signature = Signature(
        name="detect",
        version=weights_version(CODE_REVISION, path),
        inputs=(Column("image", IMAGE),),
        outputs=OUTPUTS,
        returns="rows",
        options=values,
        concurrency=concurrency(),
        cost_s=0.035,
    )
    return BatchModel(signature, prepare, partial(_predict, shared_session(path), values["min_score"]))


def prepare(image: Image) -> Prepared:
    """Squeeze `image` to the net's square; normalising waits for :func:`_predict`, so queues hold bytes, not floats."""
    from PIL import Image as Pillow

    small = Pillow.fromarray(image).resize((SIDE, SIDE), Pillow.Resampling.BILINEAR)
    planes = np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1)[::-1])
    return Prepared(planes, width=image.shape[1], height=image.shape[0])


def _predict(session: OnnxSession, min_score: float, batch: Sequence[Prepared]) -> list[list[Row]]:
    rows = []
    for part in session.parts(batch):
        outputs = session.run({"image": normalise([item.planes for item in part], MEAN_BGR, STD_BGR)})
        for index, item in enumerate(part):
            found = candidates({name: value[index] for name, value in outputs.items()}, min_score)
            rows.append(_rows(found, item))
    return rows


def candidates(outputs: Mapping[str, Tensor], min_score: float) -> Candidates:
    """What one picture's outputs (``scores_strideS [n, 80]``, ``boxes_strideS [n, 44]``) hold, before suppression."""
    parts = []
    for stride in STRIDES:
        scores = outputs[f"scores_stride{stride}"]
        cells, class_ids = np.nonzero(scores >= min_score)
        boxes_xyxy = decode_boxes(cells, outputs[f"boxes_stride{stride}"][cells], stride)
        parts.append((boxes_xyxy, scores[cells, class_ids], class_ids))
    boxes_xyxy, certainties, classes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    best = np.argsort(-certainties, kind="stable")[:CANDIDATES_MAX]
    return Candidates(boxes_xyxy[best], certainties[best], classes[best])


def decode_boxes(cells: npt.NDArray[np.intp], bins: Tensor, stride: int) -> npt.NDArray[np.float32]:
    """Boxes ``[n, 4]`` in pixels of the net's input, from the distance distributions `bins` ``[n, 44]`` of `cells`.

    Each side (left, top, right, bottom) is the expectation of a softmax over 11 distances, in strides from
    the cell's centre (Li et al. 2020, Generalized Focal Loss, arXiv:2006.04388).
    """
    weights = np.exp(bins - bins.max(axis=1, keepdims=True, initial=-np.inf)).reshape(-1, 4, BINS)
    sides = weights @ np.arange(BINS, dtype=np.float32) / weights.sum(axis=2) * stride
    grid = SIDE // stride
    centres = (np.stack([cells % grid, cells // grid], axis=1) + 0.5) * stride
    return np.hstack([centres - sides[:, :2], centres + sides[:, 2:]]).astype(np.float32)


def _rows(found: Candidates, item: Prepared) -> list[Row]:
    kept = nms(*found, iou_max=IOU_MAX)
    scale = np.array([item.width, item.height] * 2) / SIDE
    boxes_xyxy = np.clip(found.boxes_xyxy[kept] * scale, 0, [item.width, item.height] * 2)
    names = [labels()[class_id] for class_id in found.class_ids[kept]]
    scores = found.scores[kept].tolist()
    columns = zip(names, scores, boxes_xyxy.tolist(), strict=True)
    return [(index, name, score, *box) for index, (name, score, box) in enumerate(columns)]


@cache
def labels() -> tuple[str, ...]:
    """The 80 names of COCO, in the net's order."""
    return tuple(asset_path("coco_labels.txt").read_text("utf-8").splitlines())
