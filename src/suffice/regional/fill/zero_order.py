"""The noise each tile predicted last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.fill.history import History


def zero_order(history: History, time: float) -> Tensor:
    """Noise ``[b, tiles, c, t, t]``."""
    return history.last
