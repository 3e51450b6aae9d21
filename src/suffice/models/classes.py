"""``classes(image)``: the likeliest of ImageNet's 1000 classes, a row each."""

from __future__ import annotations

from typing import Any

from suffice.models.mobilenet import mobilenet_model, ranked
from suffice.models.onnx_session import Tensor
from suffice.models.options import Option, read_options
from suffice.models.protocol import Column, Model, Row

OPTIONS = {"k": Option(5, 1, 1000), "min_score": Option(0.0, 0.0, 1.0)}
OUTPUTS = (Column("label", "VARCHAR"), Column("score", "DOUBLE"), Column("rank", "INTEGER"))


def classes(**options: Any) -> Model:
    """What a picture may show: label, probability, and rank from 1.

    Options: ``k``: at most so many rows; ``min_score`` (0 to 1): leave out what is less likely.
    """
    values = read_options("classes", OPTIONS, options)

    def read(probabilities: Tensor, _embedding: Tensor) -> list[Row]:
        pairs = enumerate(ranked(probabilities, values["k"]), start=1)
        return [(label, score, rank) for rank, (label, score) in pairs if score >= values["min_score"]]

    return mobilenet_model("classes", OUTPUTS, "rows", read, values)
