"""Task ``object-detection``: the things a checkpoint was trained to find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.models.detection_columns import DETECTION_COLUMNS
from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.items import Item, run_in_groups
from suffice.models.huggingface.part import IMAGE_INPUT, Part, detection_rows
from suffice.models.huggingface.pictures import picture_item
from suffice.models.huggingface.pretrained import load_image_processor, load_network
from suffice.models.lazy import Lazy
from suffice.models.protocol import Row

MIN_SCORE = 0.5


def object_detection(checkpoint: Checkpoint, settings: HuggingFaceSettings) -> Part:
    """Rows of DETR, RT-DETR, YOLOS and their kin: label, score, and box in pixels of the picture."""
    processor = Lazy(lambda: load_image_processor(checkpoint))
    network = Lazy(lambda: load_network(checkpoint, settings, "AutoModelForObjectDetection"))
    min_score = MIN_SCORE if settings.min_score is None else settings.min_score

    def predict(batch: Sequence[Item]) -> list[list[Row]]:
        loaded = network()
        names = loaded.network.config.id2label

        def run(arrays: dict[str, Any], items: list[Item]) -> list[list[Row]]:
            outputs = in_float(loaded.network(**loaded.tensors(arrays)))
            sizes_hw = [item.facts for item in items]
            found = processor().post_process_object_detection(outputs, threshold=min_score, target_sizes=sizes_hw)
            return [detection_rows(_named(each, names)) for each in found]

        return run_in_groups(batch, run)

    return Part((IMAGE_INPUT,), DETECTION_COLUMNS, "rows", lambda image: picture_item(processor(), image), predict)


def in_float(outputs: Any) -> Any:
    """`outputs` of a detector with its logits and boxes as float32 on the CPU, for post-processing."""
    outputs.logits, outputs.pred_boxes = outputs.logits.float().cpu(), outputs.pred_boxes.float().cpu()
    return outputs


def _named(found: Any, names: Any) -> list[tuple[str, float, list[float]]]:
    columns = (found[key].tolist() for key in ("labels", "scores", "boxes"))
    return [(names[index], score, box) for index, score, box in zip(*columns, strict=True)]
