"""Pixels that look alike, as groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.masks.default.looks import Look

SAMPLED = 1600
ROUNDS = 6


def cluster(look: Look, count: int, seed: int) -> npt.NDArray[np.intp]:
    """The group, 0 to ``count - 1``, of every pixel, ``[height * width]``: k-means on a sample (Lloyd 1982)."""
    features = look.reshape(-1, look.shape[-1])
    order = np.random.default_rng(seed).permutation(len(features))
    sample = features[order[:SAMPLED]]
    centres = sample[np.arange(count) % len(sample)].copy()
    for _ in range(ROUNDS):
        member = _nearest(sample, centres)[:, None] == np.arange(count)
        sizes = member.sum(axis=0)[:, None]
        centres = np.where(sizes > 0, member.T.astype(np.float32) @ sample / np.maximum(sizes, 1), centres)
    return _nearest(features, centres)


def _nearest(features: npt.NDArray[np.float32], centres: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    return np.asarray(np.argmin((centres * centres).sum(axis=1) - 2 * features @ centres.T, axis=1))
