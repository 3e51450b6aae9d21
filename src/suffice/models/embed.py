"""``embed(image)``: a picture as a point among pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from suffice.models.mobilenet import mobilenet_model
from suffice.models.onnx_session import Tensor
from suffice.models.options import read_options
from suffice.models.protocol import Column, Model, Row


def embed(**options: Any) -> Model:
    """MobileNetV2's 1280 features of a picture, of length 1: compare with ``array_cosine_similarity``. No options."""
    read_options("embed", {}, options)
    return mobilenet_model("embed", (Column("embedding", "FLOAT[1280]"),), "scalar", _read)


def _read(_probabilities: Tensor, embedding: Tensor) -> list[Row]:
    # An all-zero embedding (every feature's ReLU silent) stays zero rather than NaN.
    return [((embedding / max(np.linalg.norm(embedding), 1e-12)).tolist(),)]
