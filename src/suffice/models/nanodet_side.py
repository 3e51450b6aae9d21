"""NanoDet-g at another size than it was exported with: smaller is faster and rougher, larger finds smaller things.

Its layers are convolutions, so the size stands in the graph in two places only: the dimensions of the input, and the
sizes to which the neck enlarges its features.
"""

from __future__ import annotations

import numpy as np

from suffice.errors import UsageError
from suffice.models.onnx_session import GraphChange

SIDE = 416
MULTIPLE, SIDE_MIN, SIDE_MAX = 32, 128, 1024
_FEATURES = {"t_541": 32, "t_481": 16, "t_505": 8}
"""Constants of the graph that are the size of a feature map, and its stride."""


def checked_side(side: int) -> int:
    """`side` where the strides divide it."""
    if side % MULTIPLE:
        below = side // MULTIPLE * MULTIPLE
        raise UsageError(f"detect(side => {side}): expected a multiple of {MULTIPLE}: {below} or {below + MULTIPLE}")
    return side


def at_side(side: int) -> GraphChange | None:
    """What to change in the graph for pictures of `side` x `side`; None at the size it has."""
    if side == SIDE:
        return None
    constants = tuple((name, np.array([side // stride] * 2, dtype=np.int64)) for name, stride in _FEATURES.items())
    return GraphChange(_dimension(SIDE) * 2, _dimension(side) * 2, constants)


def _dimension(side: int) -> bytes:
    """A dimension of a shape as ONNX stores it (protobuf: TensorShapeProto.dim with dim_value), from 128 up."""
    return b"\x0a\x03\x08" + bytes([side & 0x7F | 0x80, side >> 7])
