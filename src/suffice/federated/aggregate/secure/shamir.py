"""A secret in n pieces, any t of which give it back, and t - 1 of which say nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

PRIME = 2**521 - 1
SHARE_BYTES = 66


def split(secret: int, members: list[int], threshold: int) -> dict[int, int]:
    """A share of `secret` (below 2^521 - 1) for each of `members` (numbers from 1): Shamir, CACM 1979."""
    coefficients = [secret, *(secrets.randbelow(PRIME) for _ in range(threshold - 1))]
    return {member: _at(coefficients, member) for member in members}


def join(shares: Mapping[int, int]) -> int:
    """The secret from at least `threshold` of its shares; fewer give a number that means nothing."""
    total = 0
    for member, share in shares.items():
        above = below = 1
        for other in shares:
            if other != member:
                above, below = above * -other % PRIME, below * (member - other) % PRIME
        total += share * above * pow(below, -1, PRIME)
    return total % PRIME


def _at(coefficients: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % PRIME
    return value
