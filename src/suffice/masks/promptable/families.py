"""What tells the promptable architectures apart, as far as prompts and pixels go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from suffice.errors import UsageError
from suffice.masks.promptable.canvas import HALF_MEAN, HALF_STD, IMAGENET_MEAN, IMAGENET_STD, Fit


@dataclass(frozen=True)
class Family:
    """One architecture.

    Attributes:
        network: transformers' class.
        fit: how the picture goes onto the square.
        side: of the square where the checkpoint does not say.
        embeddings: how its encoder's answer is handed to the decoder: one tensor, a list of them, or a tensor
            with the intermediate ones that the high-quality token reads.
    """

    network: str
    fit: Fit
    side: int
    embeddings: str
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


_SAM2 = Family("Sam2Model", "stretch", 1024, "list")
_EDGETAM = Family("EdgeTamModel", "stretch", 1024, "list")
SAM3 = Family("Sam3TrackerModel", "stretch", 1008, "list", HALF_MEAN, HALF_STD)
FAMILIES: dict[str, Family] = {
    "sam": Family("SamModel", "pad", 1024, "one"),
    "sam_hq": Family("SamHQModel", "pad", 1024, "with_intermediate"),
    "sam2": _SAM2,
    "sam2_video": _SAM2,
    "edgetam": _EDGETAM,
    "edgetam_video": _EDGETAM,
    "sam3_tracker": SAM3,
    "sam3_tracker_video": SAM3,
    "sam3_video": SAM3,
}
"""transformers' ``model_type`` to the family; MobileSAM-like checkpoints in its layout are ``sam``."""

_OTHERS = {
    "grounding-dino": "finds boxes for words: give it as the finder",
    "mm-grounding-dino": "finds boxes for words: give it as the finder",
    "owlv2": "finds boxes for words: give it as the finder",
    "owlvit": "finds boxes for words: give it as the finder",
    "sam3": "finds things for words: give it as the finder",
    "oneformer": "makes semantic maps: suffice semantic",
    "mask2former": "makes semantic maps: suffice semantic",
    "segformer": "makes semantic maps: suffice semantic",
    "eomt": "makes semantic maps: suffice semantic",
}


MEMORIES: dict[str, tuple[str, str]] = {
    "sam2_video": ("Sam2VideoModel", "Sam2VideoInferenceSession"),
    "edgetam_video": ("EdgeTamVideoModel", "EdgeTamVideoInferenceSession"),
    "sam3_tracker_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoInferenceSession"),
    "sam3_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoInferenceSession"),
}
"""``model_type`` to transformers' classes for a network with a memory and for what it remembers of one video."""


def family_of(where: str, config: Mapping[str, Any]) -> Family:
    """The family of a checkpoint's ``config.json``; raises :class:`UsageError` that says which other one it is of."""
    kind = str(config.get("model_type", ""))
    if kind in FAMILIES:
        return FAMILIES[kind]
    known = f"; it {_OTHERS[kind]}" if kind in _OTHERS else ""
    raise UsageError(
        f"{where} is of the family {kind or 'unnamed'!r}, not one that takes clicks and boxes "
        f"({', '.join(sorted(FAMILIES))}){known}"
    )


def side_of(config: Mapping[str, Any], processor: Mapping[str, Any], family: Family) -> int:
    """The side of the square: what the prompt encoder was built for, else the backbone, else what the processor says.

    SAM 3's checkpoint for video holds a detector and a tracker, which see the same square.
    """
    config = config.get("tracker_config") or config
    prompts = config.get("prompt_encoder_config") or {}
    size = processor.get("size") or {}
    size = size if isinstance(size, Mapping) else {}
    vision = config.get("vision_config") or {}
    backbone = vision.get("backbone_config") or {}
    built_for = prompts.get("image_size") or vision.get("image_size") or backbone.get("image_size")
    built_for = max(built_for) if isinstance(built_for, list) else built_for
    found = built_for or size.get("longest_edge") or size.get("height")
    return int(found or family.side)
