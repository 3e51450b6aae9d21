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
from suffice.models.onnx_session import concurrency, intra_op_threads, providers
from suffice.models.options import Option, read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
OPTIONS = {"min_score": Option(0.5, 0.0, 1.0)}
WEIGHTS = {
    "Det": "models/PP-OCRv6_det_small.onnx",
    "Cls": "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "models/PP-OCRv6_rec_small.onnx",
}


class Line(NamedTuple):
    """A line of text, the mean probability of its characters, and the box round it in pixels."""

    text: str
    score: float
    box_xyxy: tuple[float, float, float, float]


def ocr_model(
    name: str,
    outputs: tuple[Column, ...],
    returns: Literal["scalar", "rows"],
    read: Callable[[list[Line]], list[Row]],
    options: dict[str, Any],
) -> Model:
    """A model of a picture that makes its rows with `read` from the lines in reading order."""
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

    def predict(batch: Sequence[npt.NDArray[np.uint8]]) -> list[list[Row] | Exception]:
        found = [_lines_or_error(image) for image in batch]
        return [
            lines
            if isinstance(lines, Exception)
            else read([line for line in lines if line.score >= values["min_score"]])
            for lines in found
        ]

    return BatchModel(signature, prepare, predict)


def prepare(image: Image) -> npt.NDArray[np.uint8]:
    """`image` as BGR."""
    return np.ascontiguousarray(image[:, :, ::-1])


@cache
def weights(model: str) -> dict[str, Path]:
    """Each stage's file; :class:`ModelError` in the name of `model` when the extra is not installed."""
    return {stage: installed_file(model, "rapidocr", name, "documents") for stage, name in WEIGHTS.items()}


def _lines_or_error(image_bgr: npt.NDArray[np.uint8]) -> list[Line] | Exception:
    try:
        found = _engine()(image_bgr)
    except Exception as error:
        return ModelError(f"ocr failed: {error}")
    if found.txts is None:
        return []
    boxes = (np.concatenate([corners.min(axis=0), corners.max(axis=0)]) for corners in found.boxes)
    return [
        Line(*line)
        for line in zip(found.txts, map(float, found.scores), (tuple(b.tolist()) for b in boxes), strict=True)
    ]


def _load_engine() -> Any:
    from rapidocr import RapidOCR

    threads = intra_op_threads()
    params = {
        "Global.log_level": "critical",
        # Each call filters by its own min_score; the engine is shared.
        "Global.text_score": 0.0,
        "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        "EngineConfig.onnxruntime.use_cuda": "CUDAExecutionProvider" in providers(),
    }
    # A stage without a path would look for its weights on the network.
    paths = {f"{stage}.model_path": str(path) for stage, path in weights("ocr").items()}
    return RapidOCR(params=params | paths)


_engine = Lazy(_load_engine)
