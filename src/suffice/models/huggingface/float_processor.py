"""The image processors that resize after scaling to floats, which transformers has for torchvision only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError
from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.protocol import Image

MODES = {2: "bilinear", 3: "bicubic"}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
# Processor to whether it smooths before it shrinks, and whether it gives a mask of the pixels that are picture.
FLOAT_PROCESSORS = {"DINOv3ViTImageProcessor": (True, False), "RfDetrImageProcessor": (False, True)}


class FloatProcessor:
    """Scale to 0..1, resize to a fixed size, normalise: what transformers' `kind` does with torchvision."""

    def __init__(self, checkpoint: Checkpoint, kind: str) -> None:
        self.config: dict[str, Any] = {"resample": 2, "rescale_factor": 1 / 255, **IMAGENET}
        self.config |= checkpoint.read_json("preprocessor_config.json")
        self.antialias, self.masks = FLOAT_PROCESSORS[kind]
        size = self.config.get("size", {})
        if "height" not in size or "width" not in size or self.config["resample"] not in MODES:
            raise ModelError(
                f"{checkpoint.where}: {kind} is read here for a fixed size, bilinear or bicubic; got {size}"
            )
        self.size_hw = (int(size["height"]), int(size["width"]))

    def __call__(self, images: Sequence[Image], **_layout: Any) -> Mapping[str, npt.NDArray[Any]]:
        pixels = np.concatenate([self._tensor(image) for image in images])
        masks = {"pixel_mask": np.ones((len(images), *self.size_hw), np.int64)} if self.masks else {}
        return {"pixel_values": pixels, **masks}

    def _tensor(self, image: Image) -> npt.NDArray[np.float32]:
        import torch

        planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
        resized = torch.nn.functional.interpolate(
            planes * self.config["rescale_factor"],
            size=self.size_hw,
            mode=MODES[self.config["resample"]],
            align_corners=False,
            antialias=self.antialias,
        )
        mean, std = (torch.tensor(self.config[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))
        return np.asarray(((resized - mean) / std).numpy())

    def post_process_object_detection(self, outputs: Any, threshold: float, target_sizes: Any) -> Any:
        """RF-DETR's answers are read as RT-DETR's: the best of all queries times all classes."""
        from transformers import RTDetrImageProcessorPil

        return RTDetrImageProcessorPil().post_process_object_detection(outputs, threshold, target_sizes)
