"""MobileNetV2 1.0 for ImageNet's 1000 classes: what ``classify``, ``classes``, ``tag`` and ``embed`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.models.batch_model import BatchModel
from suffice.models.onnx_session import Tensor, concurrency, normalise, shared_session
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1
SIDE = 224
# The net was trained on the central 224 of a picture whose shorter side is 256.
CENTRE_FRACTION = 224 / 256
MEAN_RGB = (123.675, 116.28, 103.53)
STD_RGB = (58.395, 57.12, 57.375)


def mobilenet_model(
    name: str,
    outputs: tuple[Column, ...],
    returns: Literal["scalar", "rows"],
    read: Callable[[Tensor, Tensor], list[Row]],
    options: Mapping[str, Any] | None = None,
) -> Model:
    """A model of a picture that makes its rows with ``read(probabilities [1000], embedding [1280])``."""
    signature = Signature(
        name=name,
        version=weights_version(CODE_REVISION, asset_path("mobilenet_v2_224.onnx")),
        inputs=(Column("image", IMAGE),),
        outputs=outputs,
        returns=returns,
        options=options or {},
        concurrency=concurrency(),
        cost_s=0.008,
    )

    def predict(batch: Sequence[npt.NDArray[np.uint8]]) -> list[list[Row]]:
        return [read(*output) for output in infer(batch)]

    return BatchModel(signature, prepare, predict)


def prepare(image: Image) -> npt.NDArray[np.uint8]:
    """The centre square of `image` as uint8 ``[3, 224, 224]`` RGB."""
    from PIL import Image as Pillow

    height, width = image.shape[:2]
    side = min(height, width) * CENTRE_FRACTION
    x0, y0 = (width - side) / 2, (height - side) / 2
    box = (x0, y0, x0 + side, y0 + side)
    small = Pillow.fromarray(image).resize((SIDE, SIDE), Pillow.Resampling.BILINEAR, box=box)
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def infer(batch: Sequence[npt.NDArray[np.uint8]]) -> Iterable[tuple[Tensor, Tensor]]:
    """For each prepared picture its class probabilities ``[1000]`` and its embedding ``[1280]``."""
    session = shared_session(asset_path("mobilenet_v2_224.onnx"))
    for part in session.parts(batch):
        outputs = session.run({"image": normalise(part, MEAN_RGB, STD_RGB)})
        yield from zip(map(softmax, outputs["logits"]), outputs["embedding"], strict=True)


def softmax(logits: Tensor) -> Tensor:
    """Probabilities of `logits` ``[n]``."""
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def ranked(probabilities: Tensor, k: int) -> list[tuple[str, float]]:
    """The `k` likeliest labels with their probabilities, likeliest first."""
    best = np.argsort(-probabilities, kind="stable")[:k]
    return [(labels()[index], float(probabilities[index])) for index in best]


@cache
def labels() -> tuple[str, ...]:
    """ImageNet's 1000 class names, in the net's order ("crane" and "maillot" occur twice)."""
    return tuple(asset_path("imagenet_labels.txt").read_text("utf-8").splitlines())
