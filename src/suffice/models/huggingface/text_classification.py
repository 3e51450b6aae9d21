"""Task ``text-classification``: which of a checkpoint's labels a text deserves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.items import Item, run_in_groups
from suffice.models.huggingface.labels_of import label_rows
from suffice.models.huggingface.part import LABEL, LABEL_ROWS, TEXT_INPUT, Part
from suffice.models.huggingface.pretrained import load_network, load_tokenizer
from suffice.models.huggingface.texts import text_item, token_limit
from suffice.models.lazy import Lazy
from suffice.models.protocol import Row


def text_classification(checkpoint: Checkpoint, settings: HuggingFaceSettings) -> Part:
    """``label``, or with ``returns => 'rows'`` the `top_k` labels with scores."""
    tokenizer = Lazy(lambda: load_tokenizer(checkpoint))
    network = Lazy(lambda: load_network(checkpoint, settings, "AutoModelForSequenceClassification"))

    def prepare(text: str) -> Item:
        return text_item(tokenizer(), text, token_limit(tokenizer(), checkpoint.config))

    def predict(batch: Sequence[Item]) -> list[list[Row]]:
        loaded = network()

        def run(arrays: dict[str, Any], _items: list[Item]) -> list[list[Row]]:
            logits = loaded.network(**loaded.tensors(arrays)).logits
            return label_rows(logits, loaded.network.config, settings)

        return run_in_groups(batch, run)

    returns = settings.returns or "scalar"
    return Part((TEXT_INPUT,), LABEL_ROWS if returns == "rows" else LABEL, returns, prepare, predict)
