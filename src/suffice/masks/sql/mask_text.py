"""A mask as a value in SQL: JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from suffice.errors import MediaError
from suffice.media.mask_rle import Mask, decode_rle, encode_rle


def mask_text(mask: Mask) -> str:
    """``{"size": [height, width], "counts": "…", "area": pixels}``."""
    return json.dumps({**encode_rle(mask), "area": int(mask.sum())}, separators=(",", ":"))


def mask_from(value: str | Mapping[str, Any]) -> Mask:
    """The mask of :func:`mask_text` or of any run lengths; raises :class:`MediaError` when it is none."""
    try:
        rle = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise MediaError(f"{value!r:.60} is not a mask: expected run lengths as JSON") from None
    if not isinstance(rle, Mapping):
        raise MediaError(f"{value!r:.60} is not a mask: expected run lengths as JSON")
    return decode_rle(rle)
