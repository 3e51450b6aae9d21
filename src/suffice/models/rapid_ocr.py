"""RapidOCR's PP-OCRv6 small nets, from the package itself: what ``ocr`` and ``ocr_lines`` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError
from suffice.models.batch_model import BatchModel
from suffice.models.installed import installed_file
from suffice.models.lazy import Lazy
from suffice.models.onnx_session import concurrency, first_line, intra_op_threads, providers
from suffice.models.options import Option, read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.reading_order import Box, reading_order
from suffice.models.weights import weights_version

CODE_REVISION = 1
SHORT_SIDE_MIN, LONG_SIDE_MAX = 736, 2000
OPTIONS = {"min_score": Option(0.5, 0.0, 1.0)}
WEIGHTS = {
    "Det": "models/PP-OCRv6_det_small.onnx",
    "Cls": "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "models/PP-OCRv6_rec_small.onnx",
}


class Page(NamedTuple):
    """A picture for the engine, uint8 ``[h, w, 3]`` BGR, and how many of its pixels make one of the original's."""

    image_bgr: npt.NDArray[np.uint8]
    scale: float


class Line(NamedTuple):
    """A line of text, the mean probability of its characters, and the box round it in pixels of the picture."""

    text: str
    score: float
    box_xyxy: Box


def ocr_model(
    name: str,
    outputs: tuple[Column, ...],
    returns: Literal["scalar", "rows"],
    read: Callable[[list[list[Line]]], list[Row]],
    options: dict[str, Any],
) -> Model:
    """A model of a picture that makes its rows with `read` from lines of text, grouped by the row they stand in."""
    values = read_options(name, OPTIONS, options)
    signature = Signature(
        name=name,
        version=weights_version(CODE_REVISION, *weights(name).values()),
        inputs=(Column("image", IMAGE),),
        outputs=outputs,
        returns=returns,
        options=values,
        batch_size=1,
        concurrency=concurrency(),
        cost_s=1.0,
    )

    def predict(batch: Sequence[Page]) -> list[list[Row] | Exception]:
        return [_rows_or_error(read, page, values["min_score"]) for page in batch]

    return BatchModel(signature, prepare, predict)


def prepare(image: Image) -> Page:
    """Enlarge what is small, shrink what is huge: bicubic here reads more, and for less, than the engine's own way."""
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    scale = min(max(1.0, SHORT_SIDE_MIN / min(height, width)), LONG_SIDE_MAX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    sized = image if scale == 1 else np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.BICUBIC))
    return Page(np.ascontiguousarray(sized[:, :, ::-1]), scale)


@cache
def weights(model: str) -> dict[str, Path]:
    """Each stage's file; :class:`ModelError` in the name of `model` when the extra is not installed."""
    return {stage: installed_file(model, "rapidocr", name, "documents") for stage, name in WEIGHTS.items()}


def _rows_or_error(
    read: Callable[[list[list[Line]]], list[Row]], page: Page, min_score: float
) -> list[Row] | Exception:
    try:
        return read(_lines(_engine()(page.image_bgr), page.scale, min_score))
    except Exception as error:
        return ModelError(f"ocr failed: {first_line(error.__cause__ or error)}")


def _lines(found: Any, scale: float, min_score: float) -> list[list[Line]]:
    if found.txts is None:
        return []
    corners = np.asarray(found.boxes) / scale
    boxes_xyxy = np.hstack([corners.min(axis=1), corners.max(axis=1)]).tolist()
    lines = [Line(*line) for line in zip(found.txts, map(float, found.scores), boxes_xyxy, strict=True)]
    kept = [line for line in lines if line.score >= min_score]
    return [[kept[index] for index in row] for row in reading_order([line.box_xyxy for line in kept])]


def _load_engine() -> Any:
    from rapidocr import RapidOCR

    params = {
        "Global.log_level": "critical",
        # Each call filters by its own min_score; the engine is shared.
        "Global.text_score": 0.0,
        # prepare() has set the size.
        "Det.limit_side_len": 32,
        "EngineConfig.onnxruntime.intra_op_num_threads": intra_op_threads(),
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        "EngineConfig.onnxruntime.use_cuda": "CUDAExecutionProvider" in providers(),
    }
    # A stage without a path would look for its weights on the network.
    paths = {f"{stage}.model_path": str(path) for stage, path in weights("ocr").items()}
    return RapidOCR(params=params | paths)


_engine = Lazy(_load_engine)
