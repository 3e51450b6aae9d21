"""Soft opacity from a mask: VitMatte through transformers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.media.mask_dilate import dilate, erode
from suffice.media.mask_feather import Alpha
from suffice.media.mask_rle import Mask
from suffice.models.huggingface.checkpoint import find_checkpoint
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.huggingface.pretrained import load_image_processor, load_network
from suffice.models.lazy import Lazy
from suffice.models.protocol import Image

FIGURE, UNKNOWN, GROUND = 255, 128, 0
BAND_PX = 10.0


class Matter:
    """A VitMatte checkpoint.

    Args:
        folder_or_id: a folder in transformers' layout, or ``owner/name`` on the hub.
    """

    def __init__(self, folder_or_id: str) -> None:
        self.checkpoint = find_checkpoint(folder_or_id)
        kind = self.checkpoint.config.get("model_type")
        if kind != "vitmatte":
            raise UsageError(f"{self.checkpoint.where} is of the family {kind!r}, not vitmatte")
        self._processor = Lazy(lambda: load_image_processor(self.checkpoint))
        self._network = Lazy(lambda: load_network(self.checkpoint, HuggingFaceSettings(), "VitMatteForImageMatting"))

    def alpha(self, image: Image, mask: Mask, band_px: float = BAND_PX) -> Alpha:
        """Opacity of the thing under `mask`: what is further than `band_px` from its edge is certain, and stays."""
        import torch

        sure = trimap(mask, band_px)
        arrays: dict[str, Any] = dict(
            self._processor()(images=image, trimaps=sure, input_data_format="channels_last", return_tensors="np")
        )
        loaded = self._network()
        with torch.inference_mode():
            found = loaded.network(**loaded.tensors(arrays)).alphas
        soft = found[0, 0, : mask.shape[0], : mask.shape[1]].float().cpu().numpy()
        levels = np.rint(np.clip(soft, 0, 1) * 255).astype(np.uint8)
        return np.where(sure == UNKNOWN, levels, sure)


def trimap(mask: Mask, band_px: float) -> npt.NDArray[np.uint8]:
    """255 for certain, 0 for certainly not, 128 within `band_px` of the edge of `mask`."""
    inner, outer = erode(mask, band_px), dilate(mask, band_px)
    return np.where(inner, FIGURE, np.where(outer, UNKNOWN, GROUND)).astype(np.uint8)
