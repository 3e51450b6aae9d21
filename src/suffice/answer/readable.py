"""A value of an answer as a person reads it."""

from __future__ import annotations

import os
import re
from typing import Any

_HASH = re.compile(r"\b((?:img|vid|doc):[0-9a-f]{6})[0-9a-f]{26}")


def readable(value: Any, limit: int = 120) -> str:
    """`value` as text: image references by the start of their hash, files below the working folder by their relative
    path, at most `limit` characters. For showing only; what :meth:`Result.fetchall` gives is never shortened.
    """
    if value is None:
        return ""
    text = _HASH.sub(r"\1…", str(value)) if isinstance(value, str | list | dict) else str(value)
    text = text.replace(os.getcwd() + os.sep, "") if isinstance(value, str) else text
    return text if len(text) <= limit else text[: limit - 1] + "…"
