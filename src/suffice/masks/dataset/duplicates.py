"""Pictures that show the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.models.protocol import Image

HASH_SIDE = 8
DISTANCE_MAX = 6


def difference_hash(image: Image) -> int:
    """64 bits: whether each cell of an 8 x 9 grey thumbnail is darker than the one right of it (dHash, Krawetz 2013).

    Survives resizing, compression and slight changes of light; not cropping or mirroring.
    """
    import PIL.Image

    grey = PIL.Image.fromarray(image).convert("L").resize((HASH_SIDE + 1, HASH_SIDE), PIL.Image.Resampling.BOX)
    cells = np.asarray(grey, np.int16)
    bits = (cells[:, 1:] > cells[:, :-1]).ravel()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def nearest_duplicate(bits: int, kept: Sequence[int], distance_max: int = DISTANCE_MAX) -> int | None:
    """The first of `kept` that differs from `bits` in at most `distance_max` bits, by its place."""
    for place, other in enumerate(kept):
        if (bits ^ other).bit_count() <= distance_max:
            return place
    return None
