"""Masks two clients, or a client and its shares, can grow from a small secret."""

from __future__ import annotations

import numpy as np

from suffice.federated.aggregate.secure.fixed_point import Words


def mask_words(seed: bytes, size: int) -> Words:
    """``[size]`` random words: the ChaCha20 key stream of the 32 bytes of `seed`."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    stream = Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor()
    return np.frombuffer(stream.update(bytes(8 * size)), dtype="<u8").astype(np.uint64)


def agree(own_secret: bytes, other_public: bytes, purpose: bytes = b"suffice mask") -> bytes:
    """32 bytes only the two of them can compute (X25519, HKDF-SHA256)."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    shared = X25519PrivateKey.from_private_bytes(own_secret).exchange(X25519PublicKey.from_public_bytes(other_public))
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(shared)


def public_of(secret: bytes) -> bytes:
    """The public half of an X25519 key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def pairwise_mask(own: int, other: int, seed: bytes, size: int) -> Words:
    """What `own` adds for `other`, `seed` being what the two agreed on; what `other` adds for `own` is its negative, so
    the two cancel in the sum."""
    words = mask_words(seed, size)
    return words if own < other else np.zeros(size, dtype=np.uint64) - words
