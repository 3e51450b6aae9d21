"""``tag(image)``: the likely ones of ImageNet's 1000 classes, as a list."""

from __future__ import annotations

from typing import Any

from suffice.models.mobilenet import mobilenet_model, ranked
from suffice.models.onnx_session import Tensor
from suffice.models.options import Option, read_options
from suffice.models.protocol import Column, Model, Row

OPTIONS = {"k": Option(5, 1, 1000), "min_score": Option(0.05, 0.0, 1.0)}


def tag(**options: Any) -> Model:
    """Labels of a picture, likeliest first; an empty list when nothing is likely.

    Options: ``k``: at most so many labels; ``min_score`` (0 to 1): leave out what is less likely.
    """
    values = read_options("tag", OPTIONS, options)

    def read(probabilities: Tensor, _embedding: Tensor) -> list[Row]:
        likely = [label for label, score in ranked(probabilities, values["k"]) if score >= values["min_score"]]
        return [(list(dict.fromkeys(likely)),)]

    return mobilenet_model("tag", (Column("labels", "VARCHAR[]"),), "scalar", read, values)
