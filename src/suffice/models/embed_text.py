"""``embed_text(text)``: a text as a point among texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.assets import asset_path
from suffice.models.batch_model import BatchModel
from suffice.models.minilm import embed_ids, minilm_path, tokenise
from suffice.models.onnx_session import concurrency
from suffice.models.options import read_options
from suffice.models.protocol import Column, Model, Row, Signature
from suffice.models.weights import weights_version

CODE_REVISION = 1


def embed_text(**options: Any) -> Model:
    """MiniLM's 384 features of a text's first 256 tokens, of length 1: compare with ``array_cosine_similarity``.

    No options. Raises :class:`~suffice.errors.ModelError` without the extra ``text``.
    """
    read_options("embed_text", {}, options)
    signature = Signature(
        name="embed_text",
        version=weights_version(CODE_REVISION, minilm_path("embed_text"), asset_path("bert_uncased_vocab.txt")),
        inputs=(Column("text", "VARCHAR"),),
        outputs=(Column("embedding", "FLOAT[384]"),),
        returns="scalar",
        options={},
        batch_size=32,
        concurrency=concurrency(),
        cost_s=0.005,
    )
    return BatchModel(signature, tokenise, _predict)


def _predict(batch: Sequence[list[int]]) -> list[list[Row]]:
    # One by one: padding to the longest would make every text of the batch cost as much as it.
    return [[(embed_ids(ids).tolist(),)] for ids in batch]
