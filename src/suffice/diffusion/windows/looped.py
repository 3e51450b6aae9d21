"""Windows on a clip whose last frame is followed by its first."""

from __future__ import annotations

from suffice.diffusion.windows.halving import halving


def looped(frames: int, size: int, overlap: int, stride: int, step: int) -> list[tuple[int, ...]]:
    """As :func:`~suffice.diffusion.windows.uniform.uniform`, going round the end.

    A clip that fits into one window is seen whole, turned by another number of frames at each step, so that its end
    and its beginning are often neighbours.
    """
    turn = halving(step)
    if frames <= size:
        return [_around(round(frames * turn), 1, frames, frames)]
    hop = size - overlap
    found: list[tuple[int, ...]] = []
    for distance in (2**exponent for exponent in range(stride)):
        if distance * (size - 1) + 1 > frames:
            break
        first = round(frames * turn)
        found += [_around(first + start, distance, size, frames) for start in range(0, frames, hop * distance)]
    return found


def _around(start: int, distance: int, count: int, frames: int) -> tuple[int, ...]:
    return tuple((start + number * distance) % frames for number in range(count))
