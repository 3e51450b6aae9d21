"""Several masks made one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.errors import UsageError
from suffice.media.mask_rle import Mask


def union(masks: Sequence[Mask], shape_hw: Sequence[int]) -> Mask:
    """What is in any of `masks`; nothing of a picture of `shape_hw` when there are none."""
    covered = np.zeros(tuple(shape_hw), bool)
    for mask in _same_size(masks, covered):
        covered |= mask
    return covered


def intersection(masks: Sequence[Mask], shape_hw: Sequence[int]) -> Mask:
    """What is in all of `masks`; all of a picture of `shape_hw` when there are none."""
    covered = np.ones(tuple(shape_hw), bool)
    for mask in _same_size(masks, covered):
        covered &= mask
    return covered


def subtract(mask: Mask, others: Sequence[Mask]) -> Mask:
    """What is in `mask` and in none of `others`."""
    return mask & ~union(others, mask.shape)


def _same_size(masks: Sequence[Mask], reference: Mask) -> Sequence[Mask]:
    for mask in masks:
        if mask.shape != reference.shape:
            sizes = f"{mask.shape[1]} x {mask.shape[0]} and {reference.shape[1]} x {reference.shape[0]}"
            raise UsageError(f"masks of different sizes cannot be combined: {sizes}")
    return masks
