"""Scores of classes to rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.protocol import Row


def label_rows(logits: Any, config: Any, settings: HuggingFaceSettings) -> list[list[Row]]:
    """Rows for each input of `logits` ``[batch, classes]``: the likeliest label, or `top_k` with their scores.

    Scores are a softmax, or a sigmoid each where the checkpoint says its labels do not exclude each other.
    """
    several = config.problem_type == "multi_label_classification"
    scores = logits.float().sigmoid() if several else logits.float().softmax(-1)
    count = min(settings.top_k, scores.shape[-1]) if settings.returns == "rows" else 1
    best, indices = scores.topk(count, dim=-1)
    names: Mapping[int, str] = config.id2label
    pairs = zip(indices.tolist(), best.tolist(), strict=True)
    if settings.returns == "rows":
        return [[(names[i], score) for i, score in zip(*pair, strict=True)] for pair in pairs]
    return [[(names[ids[0]],)] for ids, _ in pairs]
