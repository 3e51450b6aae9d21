"""``classify(image)``: the likeliest of ImageNet's 1000 classes."""

from __future__ import annotations

from typing import Any

from suffice.models.mobilenet import mobilenet_model, ranked
from suffice.models.onnx_session import Tensor
from suffice.models.options import read_options
from suffice.models.protocol import Column, Model, Row


def classify(**options: Any) -> Model:
    """What a picture shows, in one label such as ``'minibus'``. Takes no options."""
    read_options("classify", {}, options)
    return mobilenet_model("classify", (Column("label", "VARCHAR"),), "scalar", _read)


def _read(probabilities: Tensor, _embedding: Tensor) -> list[Row]:
    return [(ranked(probabilities, 1)[0][0],)]
