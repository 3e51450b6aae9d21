from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from suffice.models import mobilenet, nsfw
from suffice.models.detect import squeeze
from suffice.models.onnx_session import normalise


def smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(x / 23 + phase) * np.cos(y / 17 - phase) for phase in (0, 1, 2)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def test_normalise_is_the_formula() -> None:
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 256, (2, 3, 5, 7), dtype=np.uint8)
    mean, std = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
    expected = (planes - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    result = normalise(list(planes), mean, std)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_squeeze_keeps_size_and_turns_to_bgr() -> None:
    image = np.zeros((40, 90, 3), np.uint8)
    image[..., 0] = 200  # red
    prepared = squeeze(image, 64, 32)
    assert prepared.planes.shape == (3, 32, 64)
    assert prepared.planes.flags.c_contiguous
    assert [int(plane.max()) for plane in prepared.planes] == [0, 0, 200]
    assert prepared.picture_wh == (90, 40)


def test_mobilenet_sees_the_centre() -> None:
    image = smooth_picture(256, 400)
    expected = image[16:240, 88:312].transpose(2, 0, 1)
    np.testing.assert_array_equal(mobilenet.prepare(image), expected)


@pytest.mark.parametrize(("height", "width"), [(300, 500), (700, 256), (256, 256)])
def test_nsfw_equals_squeeze_then_crop(height: int, width: int) -> None:
    image = smooth_picture(height, width)
    cropped = Image.fromarray(image).resize((256, 256), Image.Resampling.BILINEAR).crop((16, 16, 240, 240))
    with io.BytesIO() as jpeg:
        cropped.save(jpeg, format="JPEG")
        expected = np.asarray(Image.open(jpeg)).astype(int)[:, :, ::-1]
    difference = np.abs(nsfw.prepare(image).astype(int) - expected)
    assert difference.mean() < 1.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3)])
def test_slivers_are_pictures_too(shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 77, np.uint8)
    assert mobilenet.prepare(image).shape == (3, 224, 224)
    assert nsfw.prepare(image).shape == (224, 224, 3)
    assert squeeze(image, 416, 416).planes.shape == (3, 416, 416)
