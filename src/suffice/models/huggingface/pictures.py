"""Pictures to the arrays a network takes."""

from __future__ import annotations

from typing import Any

from suffice.models.huggingface.items import Item
from suffice.models.protocol import Image


def picture_item(processor: Any, image: Image, facts: Any = None) -> Item:
    """`image` as the checkpoint's own image processor prepares it; by default `facts` is its (height, width)."""
    features = processor(images=[image], input_data_format="channels_last", return_tensors="np")
    return Item(dict(features), facts if facts is not None else image.shape[:2])
