"""A device's side of secure aggregation over gRPC."""

from __future__ import annotations

import time
from collections.abc import Callable

from suffice.federated.aggregate.secure import Member, PublicKeys, Reveal
from suffice.federated.aggregate.secure.fixed_point import Words
from suffice.federated.aggregate.secure.member import KEY_BYTES
from suffice.federated.aggregate.secure.shamir import SHARE_BYTES
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.refused import RefusedError

Ask = Callable[[str, bytes], pb.SecureOutcome]
"""``ask(step, body)``: leave `body` for `step`, and hear whether it is over."""


class SecureDevice:
    """One member of one round: tells the others its keys, sends its update under masks, and helps take them off."""

    def __init__(self, threshold: int, ask: Ask) -> None:
        self._member, self._ask = Member(0, threshold), ask
        self._members: dict[int, PublicKeys] = {}
        self._sealed: dict[int, bytes] = {}

    def join(self) -> None:
        """Exchange keys and shares with the other members; returns once all that are left have. Raises
        :class:`RefusedError` for a device that was started anew in the middle of the round."""
        own = self._member.public
        told = pb.Numbered.FromString(self._until_over("keys", own.mask + own.share))
        if told.entries[told.own_number] != own.mask + own.share:
            raise RefusedError("this device joined the round before, and has forgotten its keys since")
        self._members = {n: PublicKeys(key[:KEY_BYTES], key[KEY_BYTES:]) for n, key in told.entries.items()}
        self._member.number = told.own_number
        sealed = pb.Numbered(entries=self._member.shares(self._members)).SerializeToString()
        self._sealed = dict(pb.Numbered.FromString(self._until_over("shares", sealed)).entries)

    def masked(self, words: Words) -> Words:
        """`words` under this member's masks."""
        return self._member.masked(words, self._members, self._sealed)

    def finish(self) -> None:
        """Once it is settled whose updates are in the sum, reveal what takes their masks off. When enough others were
        quicker the round may be over by then."""
        stayed = set(pb.Numbered.FromString(self._until_over("masked", b"")).entries)
        self._ask("reveal", _packed(self._member.reveal(stayed)))

    def _until_over(self, step: str, body: bytes) -> bytes:
        while not (outcome := self._ask(step, body)).ready:
            time.sleep(outcome.ask_again_in_s)
        return outcome.body


def _packed(reveal: Reveal) -> bytes:
    shares = [{n: share.to_bytes(SHARE_BYTES) for n, share in shares.items()} for shares in reveal]
    return pb.Revealed(own_masks=shares[0], mask_keys=shares[1]).SerializeToString()
