"""The server's side of secure aggregation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate.secure.fixed_point import Words
from suffice.federated.aggregate.secure.masks import agree, mask_words, pairwise_mask, public_of
from suffice.federated.aggregate.secure.member import PublicKeys, Reveal
from suffice.federated.aggregate.secure.shamir import join


def unmask(
    masked: Mapping[int, Words], reveals: Mapping[int, Reveal], members: Mapping[int, PublicKeys], threshold: int
) -> Words:
    """The sum of the updates in `masked`.

    Args:
        masked: what each member that did not drop out sent.
        reveals: shares from those still there at the end.
        members: everybody who sealed shares, those who dropped out later included.

    Raises:
        SufficeError: fewer than `threshold` members are left, so the masks cannot be taken off.
    """
    if len(reveals) < threshold:
        raise SufficeError(f"secure aggregation: {len(reveals)} of the {threshold} members needed are left")
    size = len(next(iter(masked.values())))
    total: Words = np.stack(list(masked.values())).sum(axis=0, dtype=np.uint64)
    for number in masked:
        seed = join({member: reveal.own_masks[number] for member, reveal in reveals.items()})
        total -= mask_words(seed.to_bytes(32), size)
    for gone in set(members) - set(masked):
        secret = join({member: reveal.mask_keys[gone] for member, reveal in reveals.items()}).to_bytes(32)
        if public_of(secret) != members[gone].mask:
            raise SufficeError(f"secure aggregation: the shares of member {gone} do not fit its key")
        for number in masked:
            total -= pairwise_mask(number, gone, agree(secret, members[number].mask), size)
    return np.asarray(total)
