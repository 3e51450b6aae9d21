"""``hf:FOLDER_OR_ID``: SAM, SAM-HQ, SAM 2 and 2.1, SAM 3, EdgeTAM and their kin through transformers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.masks.found import Candidate
from suffice.masks.prompt import ThingPrompt
from suffice.masks.promptable.automatic import AutomaticSettings, generate
from suffice.masks.promptable.canvas import Canvas, canvas_of, draw, mask_logits, restored
from suffice.masks.promptable.families import MEMORIES, family_of, side_of
from suffice.media.mask_crop import mask_box
from suffice.models.huggingface.checkpoint import find_checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.pretrained import Pretrained, load_network
from suffice.models.lazy import Lazy
from suffice.models.protocol import Image

CODE_REVISION = 1
DECODED_AT_ONCE = 4


@dataclass(frozen=True, eq=False)
class Encoded:
    """A picture's place on the canvas, and what the encoder made of it: float32 arrays by name."""

    canvas: Canvas
    arrays: dict[str, npt.NDArray[Any]]
    image: Image | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """Mask logits ``[n, candidates, low, low]`` and the network's own IoU estimates ``[n, candidates]``."""

    logits: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


class CheckpointSegmenter:
    """A promptable checkpoint: its own pixels and geometry here, so that torchvision is never needed.

    Args:
        folder_or_id: a folder in transformers' layout, or ``owner/name`` on the hub.
    """

    def __init__(self, folder_or_id: str, automatic: AutomaticSettings | None = None) -> None:
        self.locator = folder_or_id
        self.checkpoint = find_checkpoint(folder_or_id)
        self.has_memory = self.checkpoint.config.get("model_type") in MEMORIES
        self.family = family_of(self.checkpoint.where, self.checkpoint.config)
        processor = self.checkpoint.read_json("preprocessor_config.json")
        self.side = side_of(self.checkpoint.config, processor, self.family)
        self.name = self.checkpoint.where
        self.version = f"{self.checkpoint.version}-{CODE_REVISION}"
        self.automatic = automatic or AutomaticSettings()
        self._network = Lazy(lambda: load_network(self.checkpoint, HuggingFaceSettings(), self.family.network))

    def encode(self, image: Image) -> Encoded:
        import torch

        canvas = canvas_of(image.shape[0], image.shape[1], self.side, self.family.fit)
        loaded = self._network()
        pixels = loaded.tensors({"pixels": draw(image, canvas, self.family.mean, self.family.std)})["pixels"]
        with torch.inference_mode():
            found = loaded.network.get_image_embeddings(pixels)
        return Encoded(canvas, _to_arrays(found, self.family.embeddings), image)

    def segment(self, encoded: Encoded, things: Sequence[ThingPrompt]) -> list[tuple[Candidate, ...]]:
        """Things prompted alike go through the decoder together, a few at a time."""
        alike: dict[tuple[int, bool, int], list[int]] = defaultdict(list)
        for index, thing in enumerate(things):
            alone = index if thing.mask is not None else -1
            alike[len(thing.points), _box_of(thing) is not None, alone].append(index)
        answers: dict[int, tuple[Candidate, ...]] = {}
        for indices in (each for together in alike.values() for each in _shares(together)):
            decoded = self.decode(encoded, prompt_arrays([things[index] for index in indices], encoded.canvas))
            for index, logits, scores in zip(indices, decoded.logits, decoded.scores, strict=True):
                masks = restored(logits, encoded.canvas, torch_bilinear) > 0
                answers[index] = tuple(Candidate(m, float(s)) for m, s in zip(masks, scores, strict=True))
        return [answers[index] for index in range(len(things))]

    def decode(self, encoded: Encoded, prompts: dict[str, npt.NDArray[Any]]) -> Decoded:
        """The decoder alone: arrays as :func:`prompt_arrays` makes them, on the canvas."""
        import torch

        loaded = self._network()
        tensors = loaded.tensors(prompts)
        if "input_masks" in tensors:
            tensors["input_masks"] = self._fitting(tensors["input_masks"], loaded)
        with torch.inference_mode():
            outputs = loaded.network(**self._embeddings(encoded, loaded), **tensors, multimask_output=True)
        logits, scores = outputs.pred_masks[0].float().cpu().numpy(), outputs.iou_scores[0].float().cpu().numpy()
        return Decoded(logits, scores)

    def everything(self, encoded: Encoded) -> list[Candidate]:
        return generate(self, encoded, self.automatic, torch_bilinear)

    def to_arrays(self, encoded: Encoded) -> dict[str, Any]:
        canvas = encoded.canvas
        return {**encoded.arrays, "size_hw": np.array([canvas.height, canvas.width])}

    def from_arrays(self, arrays: dict[str, Any]) -> Encoded:
        height, width = (int(side) for side in arrays.pop("size_hw"))
        return Encoded(canvas_of(height, width, self.side, self.family.fit), arrays)

    def _embeddings(self, encoded: Encoded, loaded: Pretrained) -> dict[str, Any]:
        tensors = loaded.tensors(encoded.arrays)
        ordered = [tensors[name] for name in sorted(tensors, key=lambda name: int(name.rpartition("_")[2]))]
        if self.family.embeddings == "list":
            return {"image_embeddings": ordered}
        if self.family.embeddings == "with_intermediate":
            return {"image_embeddings": ordered[0], "intermediate_embeddings": ordered[1:]}
        return {"image_embeddings": ordered[0]}

    @staticmethod
    def _fitting(masks: Any, loaded: Pretrained) -> Any:
        """At the size the prompt encoder was built for."""
        import torch

        side = int(loaded.network.config.prompt_encoder_config.image_size) // 4
        size = getattr(loaded.network.prompt_encoder, "mask_input_size", (side, side))
        return torch.nn.functional.interpolate(masks, tuple(size), mode="bilinear", align_corners=False)


def _shares(indices: list[int]) -> Iterator[list[int]]:
    """A decoder's activations of many prompts fit no cache."""
    for start in range(0, len(indices), DECODED_AT_ONCE):
        yield indices[start : start + DECODED_AT_ONCE]


def _to_arrays(found: Any, layout: str) -> dict[str, npt.NDArray[Any]]:
    tensors = [found] if layout == "one" else list(found)
    if layout == "with_intermediate":
        tensors = [found[0], *found[1]]
    return {f"embedding_{index}": tensor.float().cpu().numpy() for index, tensor in enumerate(tensors)}


def prompt_arrays(things: Sequence[ThingPrompt], canvas: Canvas) -> dict[str, npt.NDArray[Any]]:
    """What a decoder takes for things prompted alike: points ``[1, n, k, 2]``, boxes ``[1, n, 4]``, a mask."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    if things[0].points:
        xy = np.array([[[(p.x, p.y) for p in thing.points] for thing in things]], np.float64)
        arrays["input_points"] = canvas.scaled(xy)
        arrays["input_labels"] = np.array([[[int(p.is_on) for p in thing.points] for thing in things]], np.int64)
    if _box_of(things[0]) is not None:
        corners = np.array([[_box_of(thing) for thing in things]], np.float64).reshape(1, len(things), 2, 2)
        arrays["input_boxes"] = canvas.scaled(corners).reshape(1, len(things), 4)
    if things[0].mask is not None:
        arrays["input_masks"] = mask_logits(things[0].mask, canvas, canvas.side // 4)[None, None]
    return arrays


def _box_of(thing: ThingPrompt) -> tuple[float, ...] | None:
    """Its box; a mask alone prompts with the box around it as well, for decoders were trained on such pairs."""
    if thing.box_xyxy is None and thing.mask is not None and not thing.points:
        return tuple(float(side) for side in mask_box(thing.mask))
    return thing.box_xyxy


def torch_bilinear(planes: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """As :func:`~suffice.masks.promptable.canvas.bilinear`, to the last bit what transformers does."""
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(planes))[None]
    resized = torch.nn.functional.interpolate(tensor, (height, width), mode="bilinear", align_corners=False)
    return np.asarray(resized[0].numpy())
