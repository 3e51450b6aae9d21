"""Task ``image-classification``: what a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.items import Item, run_in_groups
from suffice.models.huggingface.labels_of import label_rows
from suffice.models.huggingface.part import IMAGE_INPUT, LABEL, LABEL_ROWS, Part
from suffice.models.huggingface.pictures import picture_item
from suffice.models.huggingface.pretrained import load_image_processor, load_network
from suffice.models.lazy import Lazy
from suffice.models.protocol import Row


def image_classification(checkpoint: Checkpoint, settings: HuggingFaceSettings) -> Part:
    """``label``, or with ``returns => 'rows'`` the `top_k` labels with scores."""
    processor = Lazy(lambda: load_image_processor(checkpoint))
    network = Lazy(lambda: load_network(checkpoint, settings, "AutoModelForImageClassification"))

    def predict(batch: Sequence[Item]) -> list[list[Row]]:
        loaded = network()

        def run(arrays: dict[str, Any], _items: list[Item]) -> list[list[Row]]:
            logits = loaded.network(**loaded.tensors(arrays)).logits
            return label_rows(logits, loaded.network.config, settings)

        return run_in_groups(batch, run)

    returns = settings.returns or "scalar"
    outputs = LABEL_ROWS if returns == "rows" else LABEL
    return Part((IMAGE_INPUT,), outputs, returns, lambda image: picture_item(processor(), image), predict)
