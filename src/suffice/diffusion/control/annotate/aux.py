"""Annotators with weights of their own, by the package controlnet-aux where it is there: ``aux-openpose`` and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from suffice.errors import ModelError, UsageError
from suffice.media.image import Image

PREFIX = "aux-"


def aux_annotator(name: str) -> Callable[[Image, Image], Image]:
    """The annotator that controlnet-aux calls `name`, such as ``openpose`` or ``depth_midas``; loaded here.

    Raises:
        UsageError: the package is not installed, or has no annotator of that name.
        ModelError: its weights cannot be had.
    """
    try:
        from controlnet_aux.processor import Processor
    except ImportError:
        raise UsageError(f"{PREFIX}{name} needs the package controlnet-aux: pip install controlnet-aux") from None
    try:
        processor: Any = Processor(name)
    except (KeyError, ValueError) as error:
        raise UsageError(f"controlnet-aux has no annotator {name!r}: {error}") from None
    except Exception as error:
        raise ModelError(f"controlnet-aux cannot load {name!r}: {error}") from None

    def annotate(image: Image, before: Image) -> Image:
        import PIL.Image

        height, width = image.shape[:2]
        drawn = processor(PIL.Image.fromarray(image), to_pil=True).convert("RGB")
        return np.asarray(drawn if drawn.size == (width, height) else drawn.resize((width, height)))

    return annotate
