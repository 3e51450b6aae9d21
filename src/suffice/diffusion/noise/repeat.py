"""Noise for long clips made of the noise of one window, so that what is far apart still begins alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def freenoise(noise: torch.Tensor, context: int, stride: int, generator: torch.Generator) -> torch.Tensor:
    """Each `stride` frames after the first `context` are those `context` before them, in another order.

    Source: FreeNoise, arXiv 2310.15169, equation 7.
    """
    import torch

    noise = noise.clone()
    for start in range(context, noise.shape[2], stride):
        count = min(stride, noise.shape[2] - start)
        source = torch.arange(start - context, start - context + stride)
        order = source[torch.randperm(stride, generator=generator)][:count]
        noise[:, :, start : start + count] = noise[:, :, order]
    return noise


def repeated(noise: torch.Tensor, context: int) -> torch.Tensor:
    """The first `context` frames again and again."""
    import torch

    return noise[:, :, torch.arange(noise.shape[2]) % context]
