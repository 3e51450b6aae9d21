"""Who is wanted now, and when the others should come back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Pacing:
    """How many devices a round wants out of how many there are.

    `target` reports close a round; `overcommitment` times as many are asked; `population` is an estimate of how many
    devices check in during `round_s`.
    """

    target: int
    population: int
    overcommitment: float = 1.3
    round_s: float = 60.0

    @property
    def share_wanted(self) -> float:
        """The chance of a device to be asked."""
        return min(1.0, self.overcommitment * self.target / max(1, self.population))


def is_wanted(pacing: Pacing, client: str, task: str, version: int, secret: bytes) -> bool:
    """Whether `client` is drawn for `version`: a keyed hash decides, so every replica agrees without asking anybody,
    asking again does not help, and the device cannot compute it."""
    return _uniform(secret, b"wanted", client, task, version) < pacing.share_wanted


def come_back_in_s(pacing: Pacing, remaining_s: float, client: str, task: str, version: int, secret: bytes) -> float:
    """Seconds until a device that is not needed should ask again: after this round, spread evenly over the next
    (pace steering; Bonawitz et al., MLSys 2019), so that no crowd forms."""
    return max(0.0, remaining_s) + pacing.round_s * _uniform(secret, b"pace", client, task, version)


def _uniform(secret: bytes, purpose: bytes, client: str, task: str, version: int) -> float:
    text = f"{client}\0{task}\0{version}".encode()
    digest = hashlib.blake2b(text, key=secret[:64], digest_size=8, person=purpose).digest()
    return int.from_bytes(digest, "little") / 2.0**64
