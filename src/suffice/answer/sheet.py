"""Found pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.media.write import thumbnail
from suffice.models.protocol import Image

GAP_PX = 8


def contact_sheet(pictures: Sequence[Image], columns: int = 3, width_px: int = 480) -> Image:
    """`pictures` in rows of `columns`, each at most `width_px` wide or high, on white; uint8 ``[height, width, 3]``."""
    small = [thumbnail(one, width_px) for one in pictures]
    cell_height = max(one.shape[0] for one in small) + GAP_PX
    cell_width = max(one.shape[1] for one in small) + GAP_PX
    columns = min(columns, len(small))
    rows = -(-len(small) // columns)
    sheet = np.full((rows * cell_height + GAP_PX, columns * cell_width + GAP_PX, 3), 255, np.uint8)
    for i, one in enumerate(small):
        top, left = GAP_PX + i // columns * cell_height, GAP_PX + i % columns * cell_width
        sheet[top : top + one.shape[0], left : left + one.shape[1]] = one
    return sheet
