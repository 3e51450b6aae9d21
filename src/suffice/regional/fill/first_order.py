"""The noise each tile predicted last, carried on along the line through its last two predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.fill.history import History

REACH = 1.0


def first_order(history: History, time: float) -> Tensor:
    """Noise ``[b, tiles, c, t, t]``; the line is followed no further than the distance between its two points."""
    apart = history.last_time - history.before_time
    ahead = (time - history.last_time) / apart.where(apart != 0, apart.new_ones(()))
    reach = ahead.clamp(0, REACH).where(apart != 0, apart.new_zeros(()))
    return history.last + reach[None, :, None, None, None].to(history.last.dtype) * (history.last - history.before)
