"""Classifier-free guidance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def guide(
    negative: torch.Tensor, positive: torch.Tensor, strengths: Sequence[float], rescale: float = 0.0
) -> torch.Tensor:
    """Away from the negative noise by a strength a frame; frames lie along the first axis.

    With `rescale` the spread of each frame is brought back towards that of the positive noise, so that strong guidance
    does not burn out (Lin et al., arXiv 2305.08891, section 3.4).
    """
    import torch

    scale: float | torch.Tensor = strengths[0]
    if len(set(strengths)) > 1:
        scale = torch.tensor(strengths, device=positive.device, dtype=positive.dtype)[:, None, None, None]
    guided = negative + scale * (positive - negative)
    if rescale == 0:
        return guided
    axes = (1, 2, 3)
    matched = guided * (positive.std(axes, keepdim=True) / guided.std(axes, keepdim=True))
    return rescale * matched + (1 - rescale) * guided
