"""``coverage(image, 'person')``: the share of a picture that some kind of thing covers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from suffice.errors import SufficeError
from suffice.masks.ask import ask
from suffice.masks.backend import Finder, Segmenter
from suffice.masks.combine import union
from suffice.masks.sql.asked import prompt_of
from suffice.masks.sql.parts import parts_of, versions_of
from suffice.masks.sql.segment import INPUTS
from suffice.models.batch_model import BatchModel
from suffice.models.onnx_session import concurrency
from suffice.models.protocol import Column, Image, Model, Row, Signature


def coverage(**options: Any) -> Model:
    """Pixels under any mask that ``segment`` gives, each counted once, by those of the picture: 0 to 1.

    Options: those of ``segment``.
    """
    parts = parts_of("coverage", options)
    signature = Signature(
        name="coverage",
        version=versions_of(parts),
        inputs=INPUTS,
        outputs=(Column("coverage", "DOUBLE"),),
        returns="scalar",
        options=dict(options),
        batch_size=4,
        concurrency=concurrency() if parts.is_light else 1,
        cost_s=0.5,
    )
    answer = partial(_row, parts.segmenter, parts.finder, parts.min_score)
    return BatchModel(signature, lambda image, what: (image, what), lambda batch: [answer(*each) for each in batch])


def _row(
    segmenter: Segmenter, finder: Finder, min_score: float | None, image: Image, what: str
) -> list[Row] | Exception:
    try:
        things = ask(image, prompt_of(what, min_score), segmenter, finder)
    except SufficeError as error:
        return error
    covered = union([thing.mask for thing in things], image.shape[:2])
    return [(float(np.count_nonzero(covered)) / covered.size,)]
