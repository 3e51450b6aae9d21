"""Texts to the arrays a network takes."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np

from suffice.models.huggingface.items import Item

PAD_TO = 16
# Padding and truncation are state of a fast tokenizer: two threads in one raise "Already borrowed".
TOKENIZING = Lock()


def text_item(tokenizer: Any, text: str, limit: int) -> Item:
    """`text` cut at `limit` tokens and padded to a multiple of 16, so that texts of like length share a batch."""
    with TOKENIZING:
        encoding = tokenizer(text, truncation=True, max_length=limit)
        if tokenizer.pad_token is not None:
            padded = min(limit, -(-len(encoding["input_ids"]) // PAD_TO) * PAD_TO)
            encoding = tokenizer.pad(encoding, padding="max_length", max_length=padded)
    return Item({name: np.asarray(values)[None] for name, values in encoding.items()})


def token_limit(tokenizer: Any, config: Mapping[str, Any]) -> int:
    """The most tokens a text may have, by the tokenizer and by the position embeddings."""
    positions = int(config.get("max_position_embeddings") or 512)
    # RoBERTa's positions start after its padding index.
    if "roberta" in str(config.get("model_type")) or config.get("model_type") in ("camembert", "mpnet"):
        positions -= 2
    return min(int(tokenizer.model_max_length), positions)
