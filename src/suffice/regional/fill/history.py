"""The last two predictions of every tile, each with the time it was made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class History:
    """last, before: noise ``[b, tiles, c, t, t]``; last_time, before_time: ``[tiles]``, of the solver's time steps."""

    last: Tensor
    before: Tensor
    last_time: Tensor
    before_time: Tensor

    @classmethod
    def of(cls, noise: Tensor, time: float) -> History:
        """After a first prediction of every tile."""
        import torch

        times = torch.full((noise.shape[1],), float(time), device=noise.device)
        return cls(noise.clone(), noise.clone(), times, times.clone())

    def update(self, tiles: Tensor, noise: Tensor, time: float) -> None:
        """Take in the prediction of some tiles."""
        self.before[:, tiles], self.before_time[tiles] = self.last[:, tiles], self.last_time[tiles]
        self.last[:, tiles], self.last_time[tiles] = noise, float(time)
