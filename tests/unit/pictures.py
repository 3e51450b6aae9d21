"""Tiny pictures and a model that reads their colour, for tests that need files but no weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from suffice.models.protocol import IMAGE, Column, Row, Signature


def write_picture(path: Path, level: int, size: tuple[int, int] = (8, 6)) -> Path:
    """A PNG of one grey level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), level, np.uint8)).save(path)
    return path


class Brightness:
    """The mean level of a picture; counts what it was paid for."""

    def __init__(self, version: str = "1", offset: float = 0.0) -> None:
        self.paid = 0
        self._offset = offset
        self.signature = Signature(
            "brightness", version, (Column("image", IMAGE),), (Column("level", "DOUBLE"),), "scalar", {"offset": offset}
        )

    def prepare(self, image: Any) -> float:
        return float(image.mean())

    def predict(self, batch: Sequence[float]) -> list[list[Row]]:
        self.paid += len(batch)
        return [[(level + self._offset,)] for level in batch]
