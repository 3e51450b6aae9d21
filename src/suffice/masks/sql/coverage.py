"""``coverage(image, 'person')``: the share of a picture that some kind of thing covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suffice.masks.combine import union
from suffice.masks.found import FoundThing
from suffice.masks.sql.asking_model import asking_model
from suffice.models.protocol import Column, Image, Model, Row


def coverage(**options: Any) -> Model:
    """Pixels under any mask that ``segment`` gives, each counted once, by those of the picture: 0 to 1.

    Options: those of ``segment``.
    """
    return asking_model("coverage", (Column("coverage", "DOUBLE"),), "scalar", _row, options)


def _row(image: Image, things: Sequence[FoundThing]) -> list[Row]:
    covered = union([thing.mask for thing in things], image.shape[:2])
    return [(float(np.count_nonzero(covered)) / covered.size,)]
