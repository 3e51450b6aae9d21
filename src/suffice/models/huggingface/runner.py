"""``CREATE MODEL name USING 'hf:MODEL'``: a checkpoint of the Hugging Face hub, or a local folder in its layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from suffice.errors import ModelError, SufficeError, UsageError
from suffice.models.batch_model import BatchModel
from suffice.models.huggingface.checkpoint import Checkpoint, find_checkpoint
from suffice.models.huggingface.embedding import image_embedding, similarity, text_embedding
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.image_classification import image_classification
from suffice.models.huggingface.object_detection import object_detection
from suffice.models.huggingface.part import Part
from suffice.models.huggingface.task import choose_task
from suffice.models.huggingface.text_classification import text_classification
from suffice.models.huggingface.zero_shot_detection import zero_shot_object_detection
from suffice.models.options import plain_settings, read_settings
from suffice.models.protocol import Model, Row, Signature

PARTS: dict[str, Callable[[Checkpoint, HuggingFaceSettings], Part]] = {
    "object-detection": object_detection,
    "zero-shot-object-detection": zero_shot_object_detection,
    "image-classification": image_classification,
    "similarity": similarity,
    "image-feature-extraction": image_embedding,
    "feature-extraction": text_embedding,
    "text-classification": text_classification,
}


def huggingface(name: str, locator: str, **options: Any) -> Model:
    """The checkpoint `locator`: ``owner/name``, ``owner/name@revision``, or a folder.

    The task follows from the checkpoint's architecture; the options are those of
    :class:`~suffice.models.huggingface.hf_settings.HuggingFaceSettings`. Weights load at the first call.

    Raises:
        UsageError: a folder that is not there, an option or a task that does not fit.
        ModelError: the hub has no such model, or cannot be reached.
    """
    settings = read_settings(HuggingFaceSettings, f"hf:{locator}", options)
    checkpoint = find_checkpoint(locator)
    task = choose_task(checkpoint.where, checkpoint.config, settings.task)
    if settings.returns is not None and not task.endswith("classification"):
        raise UsageError(f"{checkpoint.where}: option returns is for classification, not {task!r}")
    settings = replace(settings, task=task)
    part = PARTS[task](checkpoint, settings)
    signature = Signature(
        name=name,
        version=checkpoint.version,
        inputs=part.inputs,
        outputs=part.outputs,
        returns=part.returns,
        options=plain_settings(settings, "batch", "device"),
        batch_size=settings.batch,
        cost_s=0.1,
    )
    return BatchModel(signature, part.prepare, partial(_predict, checkpoint.where, part.predict))


def _predict(where: str, predict: Callable[[Sequence[Any]], Sequence[list[Row]]], batch: Sequence[Any]) -> Any:
    try:
        import torch

        with torch.inference_mode():
            return predict(batch)
    except SufficeError:
        raise
    except Exception as error:
        raise ModelError(f"{where} failed: {str(error).strip().partition(chr(10))[0]}") from error
