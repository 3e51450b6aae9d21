"""``hf:FOLDER_OR_ID`` as a finder that gives masks itself: SAM 3's detector through transformers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from suffice.masks.backend import Found
from suffice.masks.default.finder import words_of
from suffice.masks.prompt import Prompt
from suffice.masks.promptable.canvas import canvas_of, draw
from suffice.masks.promptable.families import SAM3, side_of
from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.pretrained import Pretrained, load_network, load_tokenizer
from suffice.models.huggingface.texts import TOKENIZING
from suffice.models.lazy import Lazy
from suffice.models.protocol import Image

CODE_REVISION = 1
KINDS = ("sam3", "sam3_video")
SCORE_MIN = 0.3
MASK_MIN = 0.5
TOKENS = 32


class Answer(NamedTuple):
    """What the network says of one word, each with a row a query: scores, boxes as shares of the picture, masks."""

    scores: Any
    boxes_share: Any
    mask_shares: Any


class Sam3Finder:
    """Everything that a phrase names, with its mask: the picture is encoded once for all phrases.

    The score of a query is its own times the network's belief that the phrase is there at all (Carion et al. 2025,
    SAM 3: Segment Anything with Concepts, presence head).
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.name = checkpoint.where
        self.version = f"{checkpoint.version}-{CODE_REVISION}"
        self.side = side_of(checkpoint.config, checkpoint.read_json("preprocessor_config.json"), SAM3)
        self._tokenizer = Lazy(lambda: load_tokenizer(checkpoint))
        self._network = Lazy(lambda: load_network(checkpoint, HuggingFaceSettings(), "Sam3Model"))

    def find(self, image: Image, prompt: Prompt) -> list[Found]:
        import torch

        loaded = self._network()
        canvas = canvas_of(image.shape[0], image.shape[1], self.side, SAM3.fit)
        pixels = loaded.tensors({"pixels": draw(image, canvas, SAM3.mean, SAM3.std)})["pixels"]
        least = SCORE_MIN if prompt.box_score_min is None else prompt.box_score_min
        found: list[Found] = []
        with torch.inference_mode():
            seen = loaded.network.get_vision_features(pixels)
            for word in words_of(prompt.texts):
                found += _found(self._answer(loaded, seen, word), word, image.shape[:2], least)
        return sorted(found, key=lambda each: -each.score)

    def _answer(self, loaded: Pretrained, seen: Any, word: str) -> Answer:
        with TOKENIZING:
            tokens = self._tokenizer()(
                word, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="np"
            )
        tensors = loaded.tensors({name: tokens[name] for name in ("input_ids", "attention_mask")})
        outputs = loaded.network(vision_embeds=seen, **tensors)
        scores = (outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid())[0]
        return Answer(scores.float().cpu(), outputs.pred_boxes[0].float().cpu(), outputs.pred_masks[0].float().cpu())


def _found(answer: Answer, word: str, size_hw: tuple[int, ...], score_min: float) -> list[Found]:
    import torch

    height, width = size_hw
    found = []
    for index in torch.nonzero(answer.scores > score_min).ravel().tolist():
        x0, y0, x1, y1 = (answer.boxes_share[index] * torch.tensor([width, height, width, height])).tolist()
        share = torch.nn.functional.interpolate(
            answer.mask_shares[index].sigmoid()[None, None], (height, width), mode="bilinear", align_corners=False
        )
        mask = np.asarray((share[0, 0] > MASK_MIN).numpy())
        found.append(Found((x0, y0, x1, y1), float(answer.scores[index]), word, word, mask))
    return found
