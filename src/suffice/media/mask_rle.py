"""Masks as run lengths: the text COCO files, the store and JSON answers hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from suffice.errors import MediaError

Mask = npt.NDArray[np.bool_]
"""Pixels that belong to a thing, bool ``[height, width]``."""


class Rle(TypedDict):
    """COCO's compressed form: `size` is ``[height, width]``, `counts` the run lengths as text."""

    size: list[int]
    counts: str


def encode_rle(mask: Mask) -> Rle:
    """`mask` in the compressed run lengths of COCO (columns first, starting with a run of background)."""
    return {"size": list(mask.shape), "counts": _pack(run_lengths(mask))}


def decode_rle(rle: Mapping[str, Any]) -> Mask:
    """The mask of `rle`, whose `counts` may be compressed (text or bytes) or a list of numbers.

    Raises:
        MediaError: `rle` does not describe a mask of its own size.
    """
    height, width, runs = _read(rle)
    values = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width, height).T)


def rle_area(rle: Mapping[str, Any]) -> int:
    """Pixels of the mask, without decoding it."""
    return int(_read(rle)[2][1::2].sum())


def run_lengths(mask: Mask) -> npt.NDArray[np.int64]:
    """Lengths of alternating runs down the columns, the first of background (0 when the first pixel is set)."""
    flat = np.asarray(mask, bool).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts_set = bool(flat.size) and bool(flat[0])
    return np.diff(np.concatenate([[0] * (1 + starts_set), changes, [flat.size]])).astype(np.int64)


def _read(rle: Mapping[str, Any]) -> tuple[int, int, npt.NDArray[np.int64]]:
    try:
        height, width = (int(side) for side in rle["size"])
        counts = rle["counts"]
        if isinstance(counts, bytes):
            counts = counts.decode("ascii")
        runs = _unpack(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MediaError(f"not a run-length mask: {error}") from None
    if min(height, width) < 0 or runs.min(initial=0) < 0 or int(runs.sum()) != height * width:
        raise MediaError(f"not a run-length mask: runs of {int(runs.sum())} pixels for {width} x {height}")
    return height, width, runs


def _pack(runs: npt.NDArray[np.int64]) -> str:
    """Each run, from the third on as the difference to the one two before, in characters of five bits."""
    deltas = runs.copy()
    deltas[3:] -= runs[1:-2]
    characters = bytearray()
    for delta in deltas.tolist():
        left, more = delta, True
        while more:
            five, left = left & 31, left >> 5
            more = left != (-1 if five & 16 else 0)
            characters.append(48 + five + (32 if more else 0))
    return characters.decode("ascii")


def _unpack(text: str) -> npt.NDArray[np.int64]:
    runs: list[int] = []
    value = shift = 0
    for character in text.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f"character {chr(character)!r} in its counts")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            signed = value - (1 << shift) if bits & 16 else value
            runs.append(signed + runs[-2] if len(runs) > 2 else signed)
            value = shift = 0
    if shift:
        raise ValueError("its counts end in the middle of a number")
    return np.asarray(runs, np.int64)
