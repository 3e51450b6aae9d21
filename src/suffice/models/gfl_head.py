"""Reads the output of detectors of the generalized focal loss family (NanoDet, PicoDet)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from suffice.models.found_boxes import FoundBoxes
from suffice.models.onnx_session import Tensor

# Bounds the n² of suppression when min_score is near 0.
CANDIDATES_MAX = 1000


def read_gfl_head(outputs: Mapping[str, Tensor], width: int, strides: tuple[int, ...], min_score: float) -> FoundBoxes:
    """What one picture's outputs hold at `min_score` or above, at most 1000, before suppression.

    Args:
        outputs: ``scores_strideS [n, classes]`` and ``boxes_strideS [n, 4 * bins]`` for each stride S, where
            row i is the cell i of a grid of ceil(width / S) columns.
        width: of the net's input, pixels.
    """
    parts = []
    for stride in strides:
        scores = outputs[f"scores_stride{stride}"]
        cells, class_ids = np.nonzero(scores >= min_score)
        boxes_xyxy = decode_boxes(cells, outputs[f"boxes_stride{stride}"][cells], -(-width // stride), stride)
        parts.append((boxes_xyxy, scores[cells, class_ids], class_ids))
    boxes_xyxy, certainties, classes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    best = np.argsort(-certainties, kind="stable")[:CANDIDATES_MAX]
    return FoundBoxes(boxes_xyxy[best], certainties[best], classes[best])


def decode_boxes(cells: npt.NDArray[np.intp], bins: Tensor, columns: int, stride: int) -> npt.NDArray[np.float32]:
    """Boxes ``[n, 4]`` in pixels, from the distance distributions `bins` ``[n, 4 * bins]`` of `cells` ``[n]``.

    Each side (left, top, right, bottom) is the expectation of a softmax over whole distances, in strides from
    the cell's centre (Li et al. 2020, Generalized Focal Loss, arXiv:2006.04388).
    """
    sides = bins.reshape(len(bins), 4, bins.shape[1] // 4)
    weights = np.exp(sides - sides.max(axis=2, keepdims=True))
    distances = weights @ np.arange(weights.shape[2], dtype=np.float32) / weights.sum(axis=2) * stride
    centres = (np.stack([cells % columns, cells // columns], axis=1) + 0.5) * stride
    return np.hstack([centres - distances[:, :2], centres + distances[:, 2:]]).astype(np.float32)
