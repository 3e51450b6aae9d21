"""What a mask from before says: mostly right, wrong at its edges."""

from __future__ import annotations

import numpy as np

from suffice.masks.default.view import Plane, View, stretched
from suffice.media.mask_rle import Mask

TRUST = 0.85


def mask_prior(view: View, mask: Mask, prior: Plane) -> Plane:
    """`prior` replaced by `mask` at work size, its edge soft, never certain."""
    window = view.window
    part = mask[window.y0 : window.y1, window.x0 : window.x1].astype(np.float32)
    soft = stretched(part, view.work_wh)
    return np.asarray((TRUST * soft + (1 - TRUST) * prior) * (prior > 0), np.float32)
