"""Tensors between two tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_PARALLEL = 0.9995


def lerp(a: torch.Tensor, b: torch.Tensor, share: float) -> torch.Tensor:
    """On the straight line; the ends come out bit for bit."""
    if share <= 0:
        return a
    return b if share >= 1 else a * (1 - share) + b * share


def slerp(a: torch.Tensor, b: torch.Tensor, share: float) -> torch.Tensor:
    """On the great circle through both, as flat vectors; on the straight line where they are nearly parallel."""
    import torch

    if share <= 0 or share >= 1:
        return lerp(a, b, share)
    flat_a, flat_b = a.flatten().float(), b.flatten().float()
    cosine = torch.dot(flat_a, flat_b) / (flat_a.norm() * flat_b.norm()).clamp_min(1e-12)
    if cosine.abs() > _PARALLEL:
        return lerp(a, b, share)
    angle = torch.acos(cosine)
    weight_a, weight_b = torch.sin((1 - share) * angle), torch.sin(share * angle)
    return ((weight_a * a.float() + weight_b * b.float()) / torch.sin(angle)).to(a.dtype)


def mix(a: torch.Tensor, b: torch.Tensor, share: float, *, spherical: bool) -> torch.Tensor:
    """:func:`slerp` or :func:`lerp`."""
    return slerp(a, b, share) if spherical else lerp(a, b, share)
