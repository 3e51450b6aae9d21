"""Task ``zero-shot-object-detection``: the things a text names, by OWL-ViT, OWLv2 and Grounding DINO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.errors import ModelError
from suffice.models.detection_columns import DETECTION_COLUMNS
from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.items import Item, run_in_groups
from suffice.models.huggingface.object_detection import in_float
from suffice.models.huggingface.part import IMAGE_INPUT, TEXT_INPUT, Part, detection_rows
from suffice.models.huggingface.pretrained import import_torch, load_image_processor, load_network, load_tokenizer
from suffice.models.huggingface.texts import TOKENIZING
from suffice.models.lazy import Lazy
from suffice.models.protocol import Image, Row

PROCESSORS = {
    "owlvit": "OwlViTProcessor",
    "owlv2": "Owlv2Processor",
    "grounding-dino": "GroundingDinoProcessor",
    "mm-grounding-dino": "GroundingDinoProcessor",
}


def zero_shot_object_detection(checkpoint: Checkpoint, settings: HuggingFaceSettings) -> Part:
    """Rows for every thing named in the second argument, one or several between full stops: ``'cat. dog'``."""
    grounding = "dino" in checkpoint.config["model_type"]
    default = 0.25 if grounding else 0.1
    min_score = default if settings.min_score is None else settings.min_score
    processor = Lazy(lambda: _load_processor(checkpoint))
    network = Lazy(lambda: load_network(checkpoint, settings, "AutoModelForZeroShotObjectDetection"))

    def prepare(image: Image, text: str) -> Item:
        names = [name.strip() for name in text.split(".") if name.strip()]
        if not names:
            raise ModelError(f"{checkpoint.where}: the text names nothing to look for")
        options = {"input_data_format": "channels_last", "return_tensors": "np"}
        with TOKENIZING:
            arrays = dict(processor()(images=[image], text=[names], **options))
        return Item(arrays, (image.shape[:2], names))

    def predict(batch: Sequence[Item]) -> list[list[Row]]:
        loaded = network()

        def run(arrays: dict[str, Any], items: list[Item]) -> list[list[Row]]:
            outputs = in_float(loaded.network(**loaded.tensors(arrays)))
            sizes_hw, names = zip(*(item.facts for item in items), strict=True)
            found = processor().post_process_grounded_object_detection(
                outputs=outputs,
                threshold=min_score,
                target_sizes=list(sizes_hw),
                text_labels=list(names),
                **({"input_ids": arrays["input_ids"]} if grounding else {}),
            )
            return [detection_rows(_found(each)) for each in found]

        return run_in_groups(batch, run)

    return Part((IMAGE_INPUT, TEXT_INPUT), DETECTION_COLUMNS, "rows", prepare, predict)


def _load_processor(checkpoint: Checkpoint) -> Any:
    _, transformers = import_torch(checkpoint.where)
    kind = getattr(transformers, PROCESSORS[checkpoint.config["model_type"]])
    return kind(load_image_processor(checkpoint), load_tokenizer(checkpoint))


def _found(found: Any) -> list[tuple[str, float, list[float]]]:
    return list(zip(found["text_labels"], found["scores"].tolist(), found["boxes"].tolist(), strict=True))
