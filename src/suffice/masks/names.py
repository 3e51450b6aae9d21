"""Segmenters and finders by name."""

from __future__ import annotations

from suffice.masks.backend import Finder, Segmenter
from suffice.models.named_parts import part_named

SEGMENTERS, FINDERS = "suffice.segmenters", "suffice.finders"
DEFAULT = "default"


def segmenter_named(name: str) -> Segmenter:
    """The segmenter ``name`` or ``name:locator``.

    There are ``default``, ``default:fast``, ``hf:FOLDER_OR_ID``, ``onnx:ENCODER,DECODER``, and those of anyone's
    package under the entry point group ``suffice.segmenters``.

    Raises:
        UsageError: nobody offers it, or the locator does not fit.
    """
    made: Segmenter = part_named(SEGMENTERS, "segmenter", name)
    return made


def finder_named(name: str) -> Finder:
    """The finder ``name`` or ``name:locator``: ``default`` or ``hf:FOLDER_OR_ID``; group ``suffice.finders``."""
    made: Finder = part_named(FINDERS, "finder", name)
    return made
