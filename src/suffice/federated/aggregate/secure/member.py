"""The client's side of secure aggregation."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from suffice.errors import SufficeError
from suffice.federated.aggregate.secure.fixed_point import Words
from suffice.federated.aggregate.secure.masks import agree, mask_words, pairwise_mask, public_of
from suffice.federated.aggregate.secure.shamir import SHARE_BYTES, split

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


KEY_BYTES = 32
SEALED_BYTES = 2 * SHARE_BYTES + 16
"""Length of a public key, and of what one member sends another: two shares, and ChaCha20-Poly1305's tag."""


class PublicKeys(NamedTuple):
    """What a member shows everybody: one key for masks, one for sending shares."""

    mask: bytes
    share: bytes


class Reveal(NamedTuple):
    """Shares a member gives the server: of the own masks of those who sent an update, of the mask keys of those who
    did not. Never both of one member: that would lay its update bare."""

    own_masks: Mapping[int, int]
    mask_keys: Mapping[int, int]


class Member:
    """One client in one round. Members are numbered from 1; `threshold` of them must stay to the end, and the server
    must not get hold of that many."""

    def __init__(self, number: int, threshold: int) -> None:
        self.number, self._threshold = number, threshold
        self._mask_secret, self._share_secret = secrets.token_bytes(32), secrets.token_bytes(32)
        self._own_seed = secrets.token_bytes(32)
        self._received: dict[int, tuple[int, int]] = {}
        self._revealed = False

    @property
    def public(self) -> PublicKeys:
        """Step 1: to everybody, through the server."""
        return PublicKeys(public_of(self._mask_secret), public_of(self._share_secret))

    def shares(self, members: Mapping[int, PublicKeys]) -> dict[int, bytes]:
        """Step 2: for each member, shares of both secrets, sealed so that the server cannot read them."""
        if len(members) < self._threshold:
            raise SufficeError(f"secure aggregation of {len(members)} members cannot have threshold {self._threshold}")
        numbers = list(members)
        seed = split(int.from_bytes(self._own_seed, "big"), numbers, self._threshold)
        key = split(int.from_bytes(self._mask_secret), numbers, self._threshold)
        plain = {n: seed[n].to_bytes(SHARE_BYTES) + key[n].to_bytes(SHARE_BYTES) for n in numbers}
        return {n: self._cipher(members[n]).encrypt(_nonce(self.number), plain[n], None) for n in numbers}

    def masked(self, words: Words, members: Mapping[int, PublicKeys], sealed: Mapping[int, bytes]) -> Words:
        """Step 3: the update under its masks. `sealed` are the shares the others sent; only they are masked against."""
        total = words + mask_words(self._own_seed, len(words))
        for other, message in sealed.items():
            plain = self._cipher(members[other]).decrypt(_nonce(other), message, None)
            self._received[other] = int.from_bytes(plain[:SHARE_BYTES]), int.from_bytes(plain[SHARE_BYTES:])
            if other != self.number:
                seed = agree(self._mask_secret, members[other].mask)
                total += pairwise_mask(self.number, other, seed, len(words))
        return total

    def reveal(self, survivors: set[int]) -> Reveal:
        """Step 4: what the server needs to take the masks off the sum; given once.

        Raises:
            SufficeError: it was asked for before, or for fewer than the threshold of members.
        """
        if self._revealed or len(survivors & set(self._received)) < self._threshold:
            raise SufficeError("refused to reveal shares: asked twice, or too few members are left")
        self._revealed = True
        own = {n: seed for n, (seed, _) in self._received.items() if n in survivors}
        keys = {n: key for n, (_, key) in self._received.items() if n not in survivors}
        return Reveal(own, keys)

    def _cipher(self, other: PublicKeys) -> ChaCha20Poly1305:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        return ChaCha20Poly1305(agree(self._share_secret, other.share, b"suffice share"))


def _nonce(sender: int) -> bytes:
    return sender.to_bytes(12)
