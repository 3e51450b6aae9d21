"""``hf:FOLDER_OR_ID`` as a finder: Grounding DINO, OWL-ViT, OWLv2 and SAM 3 through transformers."""

from __future__ import annotations

from typing import Any

from suffice.errors import UsageError
from suffice.masks.backend import Finder, Found
from suffice.masks.default.finder import words_of
from suffice.masks.prompt import Prompt
from suffice.masks.promptable import sam3_finder
from suffice.models.huggingface.checkpoint import Checkpoint, find_checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.object_detection import in_float
from suffice.models.huggingface.pretrained import load_network
from suffice.models.huggingface.texts import TOKENIZING
from suffice.models.huggingface.zero_shot_detection import PROCESSORS, _load_processor
from suffice.models.lazy import Lazy
from suffice.models.protocol import Image

CODE_REVISION = 1
BOX_SCORE_MIN = {"grounding-dino": 0.3, "mm-grounding-dino": 0.3, "owlvit": 0.1, "owlv2": 0.1}
TEXT_SCORE_MIN = 0.25


def checkpoint_finder(folder_or_id: str) -> Finder:
    """The finder that fits a checkpoint.

    Args:
        folder_or_id: a folder in transformers' layout, or ``owner/name`` on the hub.

    Raises:
        UsageError: it is of a family that does not find words.
    """
    checkpoint = find_checkpoint(folder_or_id)
    kind = str(checkpoint.config.get("model_type"))
    if kind in sam3_finder.KINDS:
        return sam3_finder.Sam3Finder(checkpoint)
    if kind in PROCESSORS:
        return CheckpointFinder(checkpoint)
    known = ", ".join([*PROCESSORS, *sam3_finder.KINDS])
    raise UsageError(f"{checkpoint.where} is of the family {kind!r}, not one that finds words ({known})")


class CheckpointFinder:
    """Boxes for words by an open-vocabulary detector, with its own scores and the words it ties to each box."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.kind = str(checkpoint.config["model_type"])
        self.name = self.checkpoint.where
        self.version = f"{self.checkpoint.version}-{CODE_REVISION}"
        self._processor = Lazy(lambda: _load_processor(self.checkpoint))
        settings = HuggingFaceSettings()
        self._network = Lazy(lambda: load_network(self.checkpoint, settings, "AutoModelForZeroShotObjectDetection"))

    def find(self, image: Image, prompt: Prompt) -> list[Found]:
        import torch

        words = words_of(prompt.texts)
        loaded, processor = self._network(), self._processor()
        with TOKENIZING:
            arrays = dict(
                processor(images=[image], text=[words], input_data_format="channels_last", return_tensors="np")
            )
        with torch.inference_mode():
            outputs = in_float(loaded.network(**loaded.tensors(arrays)))
        (answer,) = processor.post_process_grounded_object_detection(
            outputs=outputs,
            threshold=BOX_SCORE_MIN[self.kind] if prompt.box_score_min is None else prompt.box_score_min,
            target_sizes=[image.shape[:2]],
            text_labels=[words],
            **self._options(arrays, prompt),
        )
        found = zip(answer["boxes"].tolist(), answer["scores"].tolist(), answer["text_labels"], strict=True)
        return [Found((box[0], box[1], box[2], box[3]), score, label, label) for box, score, label in found]

    def _options(self, arrays: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
        """Only Grounding DINO tells how well a box fits the words."""
        if "dino" not in self.kind:
            return {}
        least = TEXT_SCORE_MIN if prompt.text_score_min is None else prompt.text_score_min
        return {"input_ids": arrays["input_ids"], "text_threshold": least}
