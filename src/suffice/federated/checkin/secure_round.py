"""Secure aggregation over the store: what the members of a round leave, agree on, and what the root makes of it.

Four steps, each over when every member has done it or when its time is up and a threshold has: ``keys`` (who takes
part; its time begins with the first member), ``shares`` (who can be recovered), ``masked`` (whose updates are in the
sum), ``reveal`` (how the masks come off). Whoever looks first writes down what was agreed, and the first to write it is
right: no process has to stay alive.
"""

from __future__ import annotations

import json
from typing import NamedTuple, TypeVar

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate.partial import Partial
from suffice.federated.aggregate.secure import PublicKeys, Reveal, from_fixed, to_fixed, unmask
from suffice.federated.aggregate.secure.fixed_point import Words
from suffice.federated.aggregate.secure.member import KEY_BYTES, SEALED_BYTES
from suffice.federated.aggregate.secure.shamir import SHARE_BYTES
from suffice.federated.arrays import Floats32
from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.publish import abandon, publish
from suffice.federated.checkin.refused import RefusedError, RoundOverError
from suffice.federated.checkin.stores import RoundStatus, Store, TaskSettings
from suffice.federated.checkin.token import Token

KEYS, SHARES, MASKED, REVEAL = STEPS = ("keys", "shares", "masked", "reveal")
_AGREED, _BEGAN = "agreed", "began"
_EXTRA = 2
"""Numbers that travel behind the update: samples, and samples times the loss."""


_Message = TypeVar("_Message", pb.Numbered, pb.Revealed)


class Agreement(NamedTuple):
    """Who a step counts: update ids for ``keys``, in the order that numbers them from 1, then member numbers."""

    names: list[str]
    at_s: float


def words_of(delta: Floats32, samples: int, loss: float) -> Words:
    """``[P + 2]`` what a member puts under its masks: the update and the loss, weighted by `samples`."""
    return to_fixed(np.concatenate([samples * delta.astype(np.float64), [samples, samples * loss]]))


def masked_bytes(settings: TaskSettings) -> int:
    """Length of a masked update."""
    return 8 * (settings.size + _EXTRA)


def agreed(store: Store, task: str, version: int, step: str) -> Agreement | None:
    """What was agreed on; None as long as nothing was."""
    found = store.note(task, version, _AGREED, step)
    return None if found is None else Agreement(*json.loads(found))


def take_step(store: Store, settings: TaskSettings, token: Token, step: str, body: bytes, now_s: float) -> bytes | None:
    """Leave `body` for `step`; returns what was agreed on, None as long as it is not.

    Raises:
        RoundOverError: the next round has begun.
        RefusedError: the body is not what the step asks for, or the device is not, or no longer, part of the round.
    """
    if step not in STEPS:
        raise RefusedError(f"secure aggregation has no step {step!r}")
    status = store.status(token.task)
    if status.version != token.version:
        raise RoundOverError("the round is over")
    name = _name(store, token, step)
    if agreed(store, token.task, token.version, step) is None and step != MASKED:
        _check(store, token, step, body)
        store.put_note(token.task, token.version, _BEGAN, step, repr(now_s).encode())
        store.put_note(token.task, token.version, step, name, body)
    outcome = _agree(store, token.task, settings, status, step, now_s)
    if outcome is None:
        return None
    if step != REVEAL and name not in outcome.names:
        raise RefusedError(f"the round went on without this device ({step})")
    return _told(store, token, step, name, outcome)


def put_masked(store: Store, settings: TaskSettings, token: Token, data: bytes) -> bool:
    """Take in a masked update; False when it was there already."""
    if len(data) != masked_bytes(settings):
        raise RefusedError("the wrong number of bytes")
    if store.status(token.task).version != token.version:
        raise RefusedError("the round is closed")
    name = _name(store, token, MASKED)
    if store.note(token.task, token.version, MASKED, name) is not None:
        return False
    if agreed(store, token.task, token.version, MASKED) is not None:
        raise RefusedError("the round is closed")
    return store.put_note(token.task, token.version, MASKED, name, data)


def advance_secure(store: Store, task: str, settings: TaskSettings, status: RoundStatus, now_s: float) -> bool:
    """Bring a secure round as far as it can go; True when a model was published."""
    outcomes = [_agree(store, task, settings, status, step, now_s) for step in STEPS]
    if outcomes[-1] is None:
        last = [outcome for outcome in outcomes if outcome is not None]
        if last and now_s - last[-1].at_s >= settings.secure_step_s:
            abandon(store, task, status.version, now_s)
        return False
    try:
        total = _sum(store, task, settings, status.version, [outcome.names for outcome in outcomes if outcome])
        publish(store, task, settings, status.version, total, now_s)
    except SufficeError as error:
        store.count_rejection(task, status.version, str(error))
        abandon(store, task, status.version, now_s)
        return False
    return True


def is_full(store: Store, task: str, version: int) -> bool:
    """Whether the members of a round are settled: nobody else is wanted."""
    return agreed(store, task, version, KEYS) is not None


def _agree(
    store: Store, task: str, settings: TaskSettings, status: RoundStatus, step: str, now_s: float
) -> Agreement | None:
    version = status.version
    if (known := agreed(store, task, version, step)) is not None:
        return known
    wanted, since_s = settings.target, float(store.note(task, version, _BEGAN, KEYS) or now_s)
    if step != KEYS:
        before = agreed(store, task, version, STEPS[STEPS.index(step) - 1])
        if before is None:
            return None
        wanted, since_s = len(before.names) if step != REVEAL else settings.secure_threshold, before.at_s
    there = sorted(store.note_names(task, version, step), key=lambda name: (len(name), name))
    late = now_s - since_s >= settings.secure_step_s
    if len(there) < (settings.secure_threshold if late else wanted):
        return None
    store.put_note(task, version, _AGREED, step, json.dumps([there[:wanted], now_s]).encode())
    return agreed(store, task, version, step)


def _name(store: Store, token: Token, step: str) -> str:
    own = token.update_id.hex()
    if step == KEYS:
        return own
    names = _names(store, token, KEYS)
    if own not in names:
        raise RefusedError("the round has its members, and this device is not one of them")
    return str(names.index(own) + 1)


def _names(store: Store, token: Token, step: str) -> list[str]:
    found = agreed(store, token.task, token.version, step)
    if found is None:
        raise RefusedError(f"the step {step} is not over yet")
    return found.names


def _check(store: Store, token: Token, step: str, body: bytes) -> None:
    """Refuse a body that would spoil the round for the others."""
    if step == KEYS:
        sound = len(body) == 2 * KEY_BYTES
    elif step == SHARES:
        wanted = set(range(1, len(_names(store, token, KEYS)) + 1))
        entries = _parsed(pb.Numbered, body).entries
        sound = set(entries) == wanted and all(len(entry) == SEALED_BYTES for entry in entries.values())
    else:
        holders, stayed = (set(map(int, _names(store, token, which))) for which in (SHARES, MASKED))
        told = _parsed(pb.Revealed, body)
        shares = [*told.own_masks.values(), *told.mask_keys.values()]
        sound = (set(told.own_masks), set(told.mask_keys)) == (stayed, holders - stayed)
        sound = sound and all(len(share) == SHARE_BYTES for share in shares)
    if not sound:
        raise RefusedError(f"not what the step {step} of secure aggregation asks for")


def _parsed(kind: type[_Message], body: bytes) -> _Message:
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(body)
    except DecodeError:
        return kind()


def _told(store: Store, token: Token, step: str, name: str, outcome: Agreement) -> bytes:
    task, version = token.task, token.version
    if step == KEYS:
        keys = {n + 1: store.note(task, version, KEYS, other) or b"" for n, other in enumerate(outcome.names)}
        return pb.Numbered(entries=keys, own_number=outcome.names.index(name) + 1).SerializeToString()
    if step == SHARES:
        sealed = {int(other): store.note(task, version, SHARES, other) or b"" for other in outcome.names}
        mine = {other: pb.Numbered.FromString(data).entries[int(name)] for other, data in sealed.items()}
        return pb.Numbered(entries=mine, own_number=int(name)).SerializeToString()
    stayed = {int(other): b"" for other in outcome.names} if step == MASKED else {}
    return pb.Numbered(entries=stayed).SerializeToString()


def _sum(store: Store, task: str, settings: TaskSettings, version: int, names: list[list[str]]) -> Partial:
    """Take the masks off the sum of the survivors' updates."""
    asked, holders, stayed, told = names
    notes = {
        step: {n: store.note(task, version, step, n) or b"" for n in who}
        for step, who in zip(STEPS, names, strict=True)
    }
    keys = {n + 1: notes[KEYS][name] for n, name in enumerate(asked)}
    members = {int(n): PublicKeys(keys[int(n)][:KEY_BYTES], keys[int(n)][KEY_BYTES:]) for n in holders}
    masked = {int(n): np.frombuffer(notes[MASKED][n], dtype="<u8").astype(np.uint64) for n in stayed}
    reveals = {int(n): _reveal(notes[REVEAL][n]) for n in told}
    total = from_fixed(unmask(masked, reveals, members, settings.secure_threshold))
    delta, samples, loss = total[:-_EXTRA], float(total[-2]), float(total[-1])
    if not samples >= len(stayed) or np.linalg.norm(delta) > samples * settings.update_norm_max:
        raise SufficeError("a sum longer than any sound update")
    return Partial(delta, samples, len(stayed), round(samples), loss)


def _reveal(data: bytes) -> Reveal:
    told = pb.Revealed.FromString(data)
    return Reveal(
        {n: int.from_bytes(share) for n, share in told.own_masks.items()},
        {n: int.from_bytes(share) for n, share in told.mask_keys.items()},
    )
