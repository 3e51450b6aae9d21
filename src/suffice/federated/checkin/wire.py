"""Numbers as bytes, and back, trusting nothing."""

from __future__ import annotations

import json
import struct

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate.partial import Partial
from suffice.federated.arrays import Floats, Floats32

_LENGTH = struct.Struct("<I")


def weights_to_bytes(weights: Floats | Floats32) -> bytes:
    """Little-endian float32."""
    return weights.astype("<f4").tobytes()


def weights_from_bytes(data: bytes, size: int) -> Floats32:
    """``[size]`` float32; raises :class:`SufficeError` for any other length, or a number that is not finite."""
    if len(data) != 4 * size:
        raise SufficeError(f"{len(data)} bytes are no {size} float32 weights")
    weights = np.frombuffer(data, dtype="<f4").astype(np.float32)
    if not np.isfinite(weights).all():
        raise SufficeError(f"{int((~np.isfinite(weights)).sum())} of {size} weights are not finite")
    return weights


def partial_to_bytes(partial: Partial) -> bytes:
    """A length, JSON of the scalars, and the sum as little-endian float64."""
    scalars = {name: value for name, value in vars(partial).items() if name != "delta_sum"}
    head = json.dumps(scalars).encode()
    return _LENGTH.pack(len(head)) + head + partial.delta_sum.astype("<f8").tobytes()


def partial_from_bytes(data: bytes) -> Partial:
    """What :func:`partial_to_bytes` wrote."""
    (length,) = _LENGTH.unpack_from(data)
    scalars = json.loads(data[_LENGTH.size : _LENGTH.size + length])
    return Partial(np.frombuffer(data, dtype="<f8", offset=_LENGTH.size + length).astype(np.float64), **scalars)
