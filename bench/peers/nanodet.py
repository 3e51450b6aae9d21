"""The detector as every peer calls it: Pillow, numpy and onnxruntime, nothing of ours, so that rows can be equal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLIP, MODEL = sys.argv[1], sys.argv[2]
LABELS = Path(sys.argv[3]).read_text().splitlines()
FRAMES = int(sys.argv[4])
STORE = sys.argv[5]
SIDE, STRIDES, MIN_SCORE, IOU_MAX = 416, (8, 16, 32), 0.5, 0.5
MEAN = np.array([103.53, 116.28, 123.675], np.float32)
STD = np.array([57.375, 57.12, 58.395], np.float32)
_SESSION: Any = None


def session(threads: int) -> Any:
    global _SESSION
    if _SESSION is None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        _SESSION = onnxruntime.InferenceSession(MODEL, options, ["CPUExecutionProvider"])
    return _SESSION


def find(image: np.ndarray, threads: int = os.cpu_count() or 1) -> list[tuple[str, float]]:
    """Labels and scores in one RGB picture."""
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    tensor = ((small[..., ::-1].astype(np.float32) - MEAN) / STD).transpose(2, 0, 1)[None]
    run = session(threads)
    names = [output.name for output in run.get_outputs()]
    outputs = dict(zip(names, run.run(None, {"image": np.ascontiguousarray(tensor)}), strict=True))
    boxes, scores, classes = [], [], []
    for stride in STRIDES:
        all_scores = (
            outputs[f"scores_stride{stride}"][0]
            if f"scores_stride{stride}" in outputs
            else outputs[f"scores_{stride}"][0]
        )
        bins = (outputs[f"boxes_stride{stride}"] if f"boxes_stride{stride}" in outputs else outputs[f"boxes_{stride}"])[
            0
        ]
        best, score = all_scores.argmax(1), all_scores.max(1)
        keep = np.flatnonzero(score >= MIN_SCORE)
        grid = SIDE // stride
        centres = np.stack([keep % grid, keep // grid], 1) * stride + stride / 2
        logits = bins[keep].reshape(-1, 4, 11)
        weights = np.exp(logits - logits.max(2, keepdims=True))
        sides = (weights / weights.sum(2, keepdims=True) @ np.arange(11)) * stride
        boxes.append(np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], 1))
        scores.append(score[keep])
        classes.append(best[keep])
    box, score, kind = np.concatenate(boxes), np.concatenate(scores), np.concatenate(classes)
    box = box.clip(0, SIDE)
    return [(LABELS[kind[i]], float(score[i])) for i in suppressed(box, score, kind)]


def suppressed(box: np.ndarray, score: np.ndarray, kind: np.ndarray) -> list[int]:
    """Per-class non-maximum suppression, best first."""
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    kept: list[int] = []
    for i in np.argsort(-score, kind="stable"):
        same = [j for j in kept if kind[j] == kind[i]]
        low, high = np.maximum(box[same, :2], box[i, :2]), np.minimum(box[same, 2:], box[i, 2:])
        overlap = (high - low).clip(0).prod(1) if same else np.zeros(0)
        if not (overlap / (area[same] + area[i] - overlap) > IOU_MAX).any():
            kept.append(int(i))
    return kept
