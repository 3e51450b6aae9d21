"""The same windows at every step."""

from __future__ import annotations


def starts(frames: int, size: int, hop: int, first: int) -> list[int]:
    """Starts from `first` on in steps of `hop`, moved into the clip, so that windows of `size` cover it all."""
    last = frames - size
    return sorted({min(max(start, 0), last) for start in range(first, last + hop, hop)})


def static(frames: int, size: int, overlap: int, stride: int, step: int) -> list[tuple[int, ...]]:
    """From the first frame on, the last window moved back to end with the clip."""
    if frames <= size:
        return [tuple(range(frames))]
    return [tuple(range(start, start + size)) for start in starts(frames, size, size - overlap, 0)]
