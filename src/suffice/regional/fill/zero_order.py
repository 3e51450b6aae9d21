"""The noise each tile predicted last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suffice.regional.fill.history import History
    from torch import Tensor


def zero_order(history: History, time: float) -> Tensor:
    """Noise ``[b, tiles, c, t, t]``."""
    return history.last
