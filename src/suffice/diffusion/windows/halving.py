"""Offsets that differ at every step and fill the gap evenly: 0, 1/2, 1/4, 3/4, 1/8 …"""

from __future__ import annotations


def halving(step: int) -> float:
    """The van der Corput number of `step` in base 2, in [0, 1)."""
    share, place = 0.0, 0.5
    while step:
        share += place * (step & 1)
        step, place = step >> 1, place / 2
    return share
