"""Pictures to latents and back, a few at a time, so that memory does not grow with the clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from suffice.media.image import Image

CHUNK = 8


def to_tensor(images: Sequence[Image]) -> torch.Tensor:
    """Pictures of one size as float32 ``[n, 3, height, width]`` from -1 to 1."""
    import torch

    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(pixels: torch.Tensor) -> list[Image]:
    """The inverse of :func:`to_tensor`, clipped and rounded."""
    levels = ((pixels.float() / 2 + 0.5).clamp(0, 1) * 255).round().byte()
    return list(levels.permute(0, 2, 3, 1).cpu().numpy())


def encode_images(vae: Any, images: Sequence[Image]) -> torch.Tensor:
    """Latents ``[1, channels, n, height, width]`` of `images`: the mean of what the encoder says, not a sample."""
    import torch

    parts = []
    with torch.no_grad():
        for start in range(0, len(images), CHUNK):
            pixels = to_tensor(images[start : start + CHUNK]).to(_device(vae), vae.dtype)
            parts.append(vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor)
    return torch.cat(parts).transpose(0, 1)[None].float()


def decode_latents(vae: Any, latents: torch.Tensor) -> Iterator[Image]:
    """The pictures of ``[1, channels, n, height, width]``, in order, decoded as they are asked for."""
    import torch

    frames = latents[0].transpose(0, 1)
    for start in range(0, len(frames), CHUNK):
        with torch.no_grad():
            chunk = frames[start : start + CHUNK].to(_device(vae), vae.dtype) / vae.config.scaling_factor
            pixels = vae.decode(chunk).sample
        yield from to_images(pixels)


def _device(vae: Any) -> Any:
    return next(vae.parameters()).device
