"""``faces(image)``: faces, found by CenterFace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from suffice.assets import asset_path
from suffice.models.batch_model import BatchModel
from suffice.models.detect import Prepared, squeeze
from suffice.models.detection_columns import BOX_COLUMNS
from suffice.models.found_boxes import FoundBoxes, settle
from suffice.models.onnx_session import OnnxSession, Tensor, concurrency, shared_session
from suffice.models.options import Option, read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
OPTIONS = {"min_score": Option(0.5, 0.0, 1.0), "side": Option(640, 32, 4096)}
STRIDE = 4
MULTIPLE = 32
IOU_MAX = 0.3
OUTPUTS = (Column("face_id", "INTEGER"), Column("score", "DOUBLE"), *BOX_COLUMNS)


def faces(**options: Any) -> Model:
    """Faces in a picture: a row each, best score first, its box in pixels of the picture.

    Options: ``min_score`` (0 to 1): leave out what is less certain; ``side`` (pixels): pictures are shrunk until
    their longer side is at most this, so more finds smaller faces and costs more.
    """
    values = read_options("faces", OPTIONS, options)
    path = asset_path("centerface.onnx")
    signature = Signature(
        name="faces",
        version=weights_version(CODE_REVISION, path),
        inputs=(Column("image", IMAGE),),
        outputs=OUTPUTS,
        returns="rows",
        options=values,
        concurrency=concurrency(),
        cost_s=0.05,
    )
    return BatchModel(
        signature,
        prepare=partial(prepare, values["side"]),
        predict=partial(_predict, shared_session(path), values["min_score"]),
    )


def prepare(side_max: int, image: Image) -> Prepared:
    """`image` shrunk to `side_max` and to whole multiples of 32, as the net's strides need."""
    height, width = image.shape[:2]
    scale = min(1.0, side_max / max(height, width))
    net_width, net_height = (max(1, -(-round(length * scale) // MULTIPLE)) * MULTIPLE for length in (width, height))
    return squeeze(image, net_width, net_height)


def _predict(session: OnnxSession, min_score: float, batch: Sequence[Prepared]) -> list[list[Row]]:
    return [_faces(session, min_score, item) for item in batch]


def _faces(session: OnnxSession, min_score: float, item: Prepared) -> list[Row]:
    net_height, net_width = item.planes.shape[1:]
    planes_rgb = item.planes[::-1].astype(np.float32)
    found = read_centerface(
        {name: value[0] for name, value in session.run({"image": planes_rgb[None]}).items()}, min_score
    )
    kept = settle(found, (net_width, net_height), item.picture_wh, IOU_MAX)
    pairs = zip(kept.scores.tolist(), kept.boxes_xyxy.tolist(), strict=True)
    return [(number, score, *box) for number, (score, box) in enumerate(pairs)]


def read_centerface(outputs: Mapping[str, Tensor], min_score: float) -> FoundBoxes:
    """What one picture's ``heat [1, h, w]``, ``scale [2, h, w]`` and ``offset [2, h, w]`` (rows first) hold.

    Cells are 4 pixels; log sizes are in cells (Xu et al. 2019, CenterFace, arXiv:1911.03599).
    """
    heat = outputs["heat"][0]
    rows, columns = np.nonzero(heat >= min_score)
    centres_yx = (np.stack([rows, columns]) + outputs["offset"][:, rows, columns] + 0.5) * STRIDE
    halves_yx = np.exp(outputs["scale"][:, rows, columns]) * STRIDE / 2
    boxes_xyxy = np.concatenate([(centres_yx - halves_yx)[::-1], (centres_yx + halves_yx)[::-1]]).T
    scores = heat[rows, columns]
    return FoundBoxes(boxes_xyxy.astype(np.float32), scores, np.zeros(len(scores), dtype=np.intp))
