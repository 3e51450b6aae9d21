"""``difference(image, other)``: how much of a picture is another than before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.models.batch_model import BatchModel
from suffice.models.onnx_session import concurrency
from suffice.models.options import read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
SIDE, STEP = 64, 8
"""Pictures are told apart as `SIDE` x `SIDE` grey cells, each another when it is more than `STEP` of 255 off."""


class Pair(NamedTuple):
    """Both pictures as grey cells ``[SIDE, SIDE]``."""

    one: npt.NDArray[np.int16]
    other: npt.NDArray[np.int16]


def difference(**options: Any) -> Model:
    """The share, 0 to 1, of two pictures that is not alike: of a frame and one before it, where something moves.

    No options. It costs what decoding costs, so it makes a score for approximate answers.
    """
    read_options("difference", {}, options)
    signature = Signature(
        name="difference",
        version=weights_version(CODE_REVISION),
        inputs=(Column("image", IMAGE), Column("other", IMAGE)),
        outputs=(Column("difference", "DOUBLE"),),
        returns="scalar",
        options={},
        concurrency=concurrency(),
        cost_s=0.001,
        ranges={"difference": (0.0, 1.0)},
    )
    return BatchModel(signature, lambda image, other: Pair(_cells(image), _cells(other)), _predict)


def _cells(image: Image) -> npt.NDArray[np.int16]:
    from PIL import Image as Pillow

    grey = Pillow.fromarray(image).convert("L").resize((SIDE, SIDE), Pillow.Resampling.BOX)
    return np.asarray(grey, dtype=np.int16)


def _predict(batch: Sequence[Pair]) -> list[list[Row]]:
    return [[(float((np.abs(pair.one - pair.other) > STEP).mean()),)] for pair in batch]
