"""Windows on a clip whose last frame is followed by its first."""

from __future__ import annotations

from math import floor

from suffice.diffusion.windows.halving import halving


def looped(frames: int, size: int, overlap: int, stride: int, step: int, *, few: bool = False) -> list[tuple[int, ...]]:
    """As :func:`~suffice.diffusion.windows.uniform.uniform`, going round the end, at even distances.

    What a window tears apart, its last frame and its first, comes to lie elsewhere at every step, and never on the
    seam: a clip that fits into one window is turned, and in longer ones the middle of a window lies near the seam.

    Args:
        frames, size, overlap, stride, step: as for every kind of window.
        few: as many windows as without a loop, so that some share less than `overlap`.
    """
    turn = halving(step + 1)  # never 0, and first of all 1/2: the noisiest step settles most
    if frames <= size:
        return [_around(min(max(round(frames * turn), 1), frames - 1), 1, frames, frames)]
    found: list[tuple[int, ...]] = []
    for distance in (2**exponent for exponent in range(stride)):
        if distance * (size - 1) + 1 > frames:
            break
        hop = (size - overlap) * distance
        count = -(-(frames - few * overlap * distance) // hop)
        first = (turn - 0.5) * max(hop - 2 * distance, 0) - distance * size / 2
        found += [_around(floor(first + number * frames / count), distance, size, frames) for number in range(count)]
    return found


def _around(start: int, distance: int, count: int, frames: int) -> tuple[int, ...]:
    return tuple((start + number * distance) % frames for number in range(count))
