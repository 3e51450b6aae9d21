"""``layout(page)``: titles, paragraphs, figures and tables of a page, found by PicoDet trained on CDLA."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from suffice.assets import asset_path
from suffice.models.batch_model import BatchModel
from suffice.models.detect import Prepared, labelled_rows, squeeze
from suffice.models.detection_columns import BOX_COLUMNS
from suffice.models.found_boxes import settle
from suffice.models.gfl_head import read_gfl_head
from suffice.models.onnx_session import OnnxSession, concurrency, normalise, shared_session
from suffice.models.options import Option, read_options
from suffice.models.protocol import IMAGE, Column, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
OPTIONS = {"min_score": Option(0.5, 0.0, 1.0)}
WIDTH, HEIGHT = 608, 800
STRIDES = (8, 16, 32, 64)
# ImageNet's RGB constants on BGR planes: so was the net trained.
MEAN_BGR = (123.675, 116.28, 103.53)
STD_BGR = (58.395, 57.12, 57.375)
IOU_MAX = 0.5
LABELS = (
    "text",
    "title",
    "figure",
    "figure_caption",
    "table",
    "table_caption",
    "header",
    "footer",
    "reference",
    "equation",
)
OUTPUTS = (Column("region_id", "INTEGER"), Column("label", "VARCHAR"), Column("score", "DOUBLE"), *BOX_COLUMNS)


def layout(**options: Any) -> Model:
    """Regions of a page: a row each, best score first, its box in pixels of the picture.

    Options: ``min_score`` (0 to 1): leave out what is less certain.
    """
    values = read_options("layout", OPTIONS, options)
    path = asset_path("layout_cdla_800x608.onnx")
    signature = Signature(
        name="layout",
        version=weights_version(CODE_REVISION, path),
        inputs=(Column("image", IMAGE),),
        outputs=OUTPUTS,
        returns="rows",
        options=values,
        concurrency=concurrency(),
        cost_s=0.15,
    )
    return BatchModel(
        signature,
        prepare=lambda image: squeeze(image, WIDTH, HEIGHT),
        predict=partial(_predict, shared_session(path), values["min_score"]),
    )


def _predict(session: OnnxSession, min_score: float, batch: Sequence[Prepared]) -> list[list[Row]]:
    return [_regions(session, min_score, item) for item in batch]


def _regions(session: OnnxSession, min_score: float, item: Prepared) -> list[Row]:
    # The graph has a batch axis of exactly 1.
    outputs = session.run({"image": normalise([item.planes], MEAN_BGR, STD_BGR)})
    found = read_gfl_head({name: value[0] for name, value in outputs.items()}, WIDTH, STRIDES, min_score)
    return labelled_rows(settle(found, (WIDTH, HEIGHT), item.picture_wh, IOU_MAX), LABELS)
