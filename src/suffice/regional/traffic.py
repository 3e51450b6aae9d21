"""What DistriFusion would send on the same split, to hold our own bytes against.

Its wrappers all-gather in every step, whether anything changed or not (arXiv:2402.19481, section 4): of every wide
convolution the border rows of every rank, of every self-attention the keys and values, of every GroupNorm the moments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suffice.regional.frame import Cache

STRIP_BORDERS = 2


def all_gather_bytes(cache: Cache, ranks: int) -> int:
    """Bytes all ranks together send in one step; the layers and their sizes are read off a filled `cache`."""
    return sum(_layer(name, tensor, ranks) for name, tensor in cache.tensors.items())


def _layer(name: str, tensor: object, ranks: int) -> int:
    import torch

    assert isinstance(tensor, torch.Tensor)
    size = int(tensor.element_size())
    if name.endswith((".key", ".value")):
        return (ranks - 1) * int(tensor.numel()) * size
    if name.endswith((".text_key", ".text_value")):
        return 0
    if name.split(".")[-1].startswith(("norm", "conv_norm_out")) or tensor.shape[-1] == 2:
        batch, _, groups, both = map(int, tensor.shape)
        return ranks * (ranks - 1) * batch * groups * both * size
    batch, channels, _, width = map(int, tensor.shape)
    return ranks * (ranks - 1) * STRIP_BORDERS * batch * channels * (width - 2) * size
