"""``nsfw(image)``: how likely a picture is not safe for work, by Yahoo's open_nsfw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.models.batch_model import BatchModel
from suffice.models.onnx_external import onnx_files
from suffice.models.onnx_session import OnnxSession, concurrency, shared_session
from suffice.models.options import read_options
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
SIDE = 224
# The net sees the central 224 of a picture squeezed to 256 x 256.
MARGIN_FRACTION = (256 - 224) / 2 / 256
MEAN_BGR = np.array([104, 117, 123], dtype=np.float32)


def nsfw(**options: Any) -> Model:
    """A probability: below 0.2 likely safe, above 0.8 likely not, says the net's publisher. No options."""
    read_options("nsfw", {}, options)
    path = asset_path("open_nsfw_224.onnx")
    signature = Signature(
        name="nsfw",
        version=weights_version(CODE_REVISION, *onnx_files(path)),
        inputs=(Column("image", IMAGE),),
        outputs=(Column("probability", "DOUBLE"),),
        returns="scalar",
        options={},
        concurrency=concurrency(),
        cost_s=0.02,
        ranges={"probability": (0.0, 1.0)},
    )
    return BatchModel(signature, prepare, partial(_predict, shared_session(path)))


def prepare(image: Image) -> npt.NDArray[np.uint8]:
    """`image` as the net's uint8 ``[224, 224, 3]`` BGR."""
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    x0, y0 = width * MARGIN_FRACTION, height * MARGIN_FRACTION
    box = (x0, y0, width - x0, height - y0)
    small = Pillow.fromarray(image).resize((SIDE, SIDE), Pillow.Resampling.BILINEAR, box=box)
    # The published scores are of pictures stored as JPEG at this size, and the net reacts to its artefacts.
    with BytesIO() as jpeg:
        small.save(jpeg, format="JPEG")
        return np.asarray(Pillow.open(jpeg))[:, :, ::-1]


def _predict(session: OnnxSession, batch: Sequence[npt.NDArray[np.uint8]]) -> list[list[Row]]:
    rows: list[list[Row]] = []
    for part in session.parts(batch):
        outputs = session.run({"image": np.stack(part).astype(np.float32) - MEAN_BGR})
        rows += [[(probability,)] for probability in outputs["probabilities"][:, 1].tolist()]
    return rows
