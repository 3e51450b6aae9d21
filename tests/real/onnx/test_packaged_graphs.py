"""The packaged MobileNetV2 through the runner for any ONNX file, on a real picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from suffice.assets import asset_path
from suffice.models.check import check_rows
from suffice.models.onnx import onnx

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
OPTIONS: dict[str, Any] = {"output": "logits", "labels": "imagenet_labels.txt", "mean": MEAN, "std": STD}


@pytest.fixture(scope="module")
def frame() -> npt.NDArray[np.uint8]:
    import av

    with av.open(str(asset_path("pedestrians.mp4"))) as video:
        return next(video.decode(video=0)).to_ndarray(format="rgb24")


def reference_logits(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """ImageNet's evaluation, written again by hand: short side 256, the middle 224, normalised."""
    import onnxruntime

    height, width = image.shape[:2]
    scale = 256 / min(height, width)
    resized = Pillow.fromarray(image).resize((round(width * scale), round(height * scale)), Pillow.Resampling.BILINEAR)
    left, top = (resized.width - 224) // 2, (resized.height - 224) // 2
    pixels = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float32) / 255
    tensor = ((pixels - np.array(MEAN, np.float32)) / np.array(STD, np.float32)).transpose(2, 0, 1)[None]
    session = onnxruntime.InferenceSession(str(asset_path("mobilenet_v2_224.onnx")))
    [logits] = session.run(["logits"], {"image": tensor})
    return np.asarray(logits[0])


def test_classes_of_a_real_frame(frame: npt.NDArray[np.uint8]) -> None:
    names = asset_path("imagenet_labels.txt").read_text().splitlines()
    logits = reference_logits(frame)
    powers = np.exp(logits - logits.max())
    order = np.argsort(-logits)[:5]
    path = str(asset_path("mobilenet_v2_224.onnx"))
    rows = onnx("kinds", path, **OPTIONS, returns="rows")
    [answer] = rows.predict([rows.prepare(frame)])
    assert [row[0] for row in check_rows(rows.signature, answer)] == [names[index] for index in order]
    assert [row[1] for row in answer] == pytest.approx((powers / powers.sum())[order].tolist(), abs=1e-4)
    scalar = onnx("kind", path, **OPTIONS)
    assert scalar.predict([scalar.prepare(frame)]) == [[(names[order[0]],)]]


def test_embedding_by_name(frame: npt.NDArray[np.uint8]) -> None:
    model = onnx("vector", str(asset_path("mobilenet_v2_224.onnx")), output="embedding", mean=MEAN, std=STD)
    [[(vector,)]] = model.predict([model.prepare(frame)])
    assert (model.signature.options["task"], len(vector)) == ("embed", 1280)
