"""The options of a model read from a Hugging Face checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class HuggingFaceSettings:
    """What a user may say about a checkpoint; what is None is read off it.

    Attributes:
        task: one of the tasks of :mod:`suffice.models.huggingface.task`, or ``clip`` for ``similarity``.
        returns: ``rows`` makes a classifier give its `top_k` labels with scores.
        min_score: leave out detections that are less certain (by default 0.5; zero-shot 0.1, Grounding DINO 0.25).
        top_k: the most labels a classifier gives.
        pooling: how token vectors become one embedding.
        normalize: whether embeddings have length 1.
        device: ``auto`` (CUDA where there is some), ``cpu``, ``cuda``, ``cuda:1`` …
        dtype: of the weights and the arithmetic.
        batch: the most inputs at a time.
    """

    task: str | None = None
    returns: Literal["scalar", "rows"] | None = None
    min_score: float | None = None
    top_k: int = 5
    pooling: Literal["cls", "mean"] | None = None
    normalize: bool = True
    device: str = "auto"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    batch: int = 8
