"""Semantic maps by SegFormer, Mask2Former, OneFormer and EoMT through transformers."""

from __future__ import annotations

from typing import Any

import numpy as np

from suffice.errors import UsageError
from suffice.masks.semantic.semantic_map import SemanticMap
from suffice.models.huggingface.checkpoint import find_checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.pretrained import import_torch, load_image_processor, load_network, load_tokenizer
from suffice.models.lazy import Lazy
from suffice.models.protocol import Image

NETWORKS = {
    "segformer": "AutoModelForSemanticSegmentation",
    "mask2former": "AutoModelForUniversalSegmentation",
    "maskformer": "AutoModelForUniversalSegmentation",
    "oneformer": "AutoModelForUniversalSegmentation",
    "eomt": "AutoModelForUniversalSegmentation",
}
TASK_TOKENS = 77


class CheckpointMap:
    """A checkpoint that gives every pixel a class; its names are the checkpoint's own.

    Args:
        folder_or_id: a folder in transformers' layout, or ``owner/name`` on the hub.
    """

    def __init__(self, folder_or_id: str) -> None:
        self.checkpoint = find_checkpoint(folder_or_id)
        self.kind = str(self.checkpoint.config.get("model_type"))
        if self.kind not in NETWORKS:
            known = ", ".join(NETWORKS)
            raise UsageError(
                f"{self.checkpoint.where} is of the family {self.kind!r}, not one that makes maps ({known})"
            )
        self.name, self.version = self.checkpoint.where, self.checkpoint.version
        self._processor = Lazy(self._load_processor)
        self._network = Lazy(lambda: load_network(self.checkpoint, HuggingFaceSettings(), NETWORKS[self.kind]))

    def map_of(self, image: Image) -> SemanticMap:
        """The class of every pixel of `image`."""
        import torch

        loaded, processor = self._network(), self._processor()
        arrays = dict(processor(images=[image], input_data_format="channels_last", return_tensors="np", **self._task()))
        offsets = arrays.pop("patch_offsets", None)  # EoMT cuts a wide picture in squares, and wants to know where
        extra = {} if offsets is None else {"patch_offsets": [torch.as_tensor(each) for each in offsets]}
        tensors = {name: np.asarray(each) for name, each in arrays.items() if not isinstance(each, list)}
        with torch.inference_mode():
            outputs = loaded.network(**loaded.tensors(tensors), **extra)
        (ids,) = processor.post_process_semantic_segmentation(outputs, target_sizes=[image.shape[:2]])
        names = loaded.network.config.id2label
        table = tuple(str(names[index]) for index in range(len(names)))
        return SemanticMap(np.asarray(ids.cpu().numpy(), np.int16), table)

    def _task(self) -> dict[str, Any]:
        return {"task_inputs": ["semantic"]} if self.kind == "oneformer" else {}

    def _load_processor(self) -> Any:
        processor = load_image_processor(self.checkpoint)
        if self.kind != "oneformer":
            return processor
        _, transformers = import_torch(self.checkpoint.where)
        length = int(self.checkpoint.config.get("task_seq_len", TASK_TOKENS))
        return transformers.OneFormerProcessor(processor, load_tokenizer(self.checkpoint), task_seq_length=length)
