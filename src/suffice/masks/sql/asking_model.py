"""A model that asks a picture for masks and makes rows of the answer: what ``segment`` and ``coverage`` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from suffice.errors import SufficeError
from suffice.masks.ask import ask
from suffice.masks.found import FoundThing
from suffice.masks.sql.asked import prompt_of
from suffice.masks.sql.parts import parts_of, versions_of
from suffice.models.batch_model import BatchModel
from suffice.models.onnx_session import concurrency
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature

INPUTS = (Column("image", IMAGE), Column("what", "VARCHAR"))

Rows = Callable[[Image, Sequence[FoundThing]], list[Row]]


def asking_model(
    name: str, outputs: tuple[Column, ...], returns: Literal["scalar", "rows"], rows: Rows, options: Mapping[str, Any]
) -> Model:
    """The model `name`: `rows` makes its output of a picture and the things found in it."""
    parts = parts_of(name, options)
    signature = Signature(
        name=name,
        version=versions_of(parts),
        inputs=INPUTS,
        outputs=outputs,
        returns=returns,
        options=dict(options),
        batch_size=4,
        concurrency=concurrency() if parts.is_light else 1,
        cost_s=0.5,
    )

    def answer(image: Image, what: str) -> list[Row] | Exception:
        try:
            return rows(image, ask(image, prompt_of(what, parts.min_score), parts.segmenter, parts.finder))
        except SufficeError as error:
            return error

    return BatchModel(signature, lambda image, what: (image, what), lambda batch: [answer(*each) for each in batch])
