"""Windows that share no frame, but for the last, which is moved back to end with the clip."""

from __future__ import annotations

from suffice.diffusion.windows.static import static


def batched(frames: int, size: int, overlap: int, stride: int, step: int) -> list[tuple[int, ...]]:
    """:func:`~suffice.diffusion.windows.static.static` without overlap."""
    return static(frames, size, 0, stride, step)
