"""MobileNetV2's activations on the way to its answer: what a patch of picture is part of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.models.mobilenet import MEAN_RGB, STD_RGB
from suffice.models.onnx_session import intra_op_threads, normalise, providers
from suffice.models.protocol import Image

SIDE = 224
TAPS = (
    "/features/features.3/Add_output_0",
    "/features/features.6/Add_output_0",
    "/features/features.10/Add_output_0",
    "/features/features.13/Add_output_0",
)
"""Ends of the residual stages with strides 4, 8, 16 and 16: 24, 32, 64 and 96 channels."""

Activations = npt.NDArray[np.float32]

_GRAPH_FIELD, _OUTPUT_FIELD, _NAME_FIELD = 7, 12, 1


def activations(image: Image) -> list[Activations]:
    """Each tap's ``[channel, row, column]`` for `image`, squeezed to 224 x 224."""
    from PIL import Image as Pillow

    small = np.asarray(Pillow.fromarray(image).resize((SIDE, SIDE), Pillow.Resampling.BILINEAR, reducing_gap=2.0))
    planes = np.ascontiguousarray(small.transpose(2, 0, 1))
    return [tap[0] for tap in _session().run(list(TAPS), {"image": normalise([planes], MEAN_RGB, STD_RGB)})]


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph = with_outputs(asset_path("mobilenet_v2_224.onnx").read_bytes(), TAPS)
    return onnxruntime.InferenceSession(graph, options, providers=providers())


def with_outputs(model: bytes, names: Sequence[str]) -> bytes:
    """An ONNX file that also gives the values `names`.

    Serialised messages that follow each other are one message with their lists joined (Protocol Buffers encoding,
    "last one wins"), so a second model that has nothing but outputs is simply appended.
    """
    outputs = b"".join(_field(_OUTPUT_FIELD, _field(_NAME_FIELD, name.encode())) for name in names)
    return model + _field(_GRAPH_FIELD, outputs)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
