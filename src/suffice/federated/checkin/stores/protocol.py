"""What every process of a deployment shares, and how it is asked for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import NamedTuple, Protocol

from suffice.federated.arrays import Floats, Floats32, State


@dataclass(frozen=True)
class TaskSettings:
    """What every process of a deployment must agree on.

    Attributes:
        size, layout_digest: of the model. fan_in: updates or partials a folding process takes at once.
        target, reports_min, round_s: a round closes on `target` reports, or after `round_s` with at least
            `reports_min`; with fewer it stays open for another `round_s`.
        population: estimate of the devices that check in during a round. token_s: how long a device may take.
        optimiser, server_learning_rate: what the root does with the mean.
        update_norm_max: longer updates are refused. samples_max: and those that claim more samples, which is their
            weight in the mean.
        secure_threshold: above 0 updates are summed under masks, and so many members must stay to the end of a round;
            secure_step_s: how long each of its four steps waits for all of them.
        statistics: positions ``[first, last)`` of weights that are averaged, never optimised (running statistics).
    """

    size: int
    layout_digest: str
    target: int
    reports_min: int = 1
    round_s: float = 60.0
    population: int = 1
    overcommitment: float = 1.3
    token_s: float = 120.0
    fan_in: int = 16
    optimiser: str = "fedavg"
    server_learning_rate: float = 1.0
    update_norm_max: float = 1e6
    samples_max: int = 100_000
    learning_rate: float = 0.05
    batch_size: int = 20
    local_steps: int = 5
    secure_threshold: int = 0
    secure_step_s: float = 15.0
    statistics: tuple[tuple[int, int], ...] = ()


class RoundStatus(NamedTuple):
    """The newest model `version`; `received` updates are in, of which the first `placed` have a place in the tree that
    will not change; `reports` is None while the round is open, then how many of them count."""

    version: int
    opened_s: float
    received: int
    reports: int | None
    placed: int


class StoredUpdate(NamedTuple):
    """An accepted update."""

    samples: int
    loss_mean: float
    delta: Floats32


class Store(Protocol):
    """A deployment's state. Every write can be repeated, by any process at any time, without changing anything: the
    first to come stays."""

    @property
    def where(self) -> str:
        """What :func:`~suffice.federated.checkin.stores.open_store` opens it by, in another process."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...

    def create_task(self, task: str, settings: TaskSettings, weights: Floats, now_s: float) -> None:
        """Register `task` with its first model; a task that is there stays as it is."""
        ...

    def settings(self, task: str) -> TaskSettings:
        """The settings of `task`; raises :class:`SufficeError` when it is not known."""
        ...

    def status(self, task: str) -> RoundStatus:
        """Where the newest round of `task` stands."""
        ...

    def weights_bytes(self, task: str, version: int) -> bytes:
        """Model `version` of `task` as sent to devices: little-endian float32."""
        ...

    def memory(self, task: str, version: int) -> State:
        """What the server optimiser remembered when it made `version`; also the float64 ``weights``. Empty once a newer
        model is out."""
        ...

    def add_upload(self, task: str, version: int, update_id: bytes, update: StoredUpdate) -> str:
        """Store an update: ``accepted``, ``duplicate`` when it is there already, or ``closed`` when the round is. An
        accepted update will be counted."""
        ...

    def uploads(self, task: str, version: int, positions: range, size: int) -> list[StoredUpdate]:
        """The updates at `positions`, in order."""
        ...

    def close_round(self, task: str, version: int) -> None:
        """Freeze the updates of `version`: what comes later is too late."""
        ...

    def extend_round(self, task: str, version: int, now_s: float) -> None:
        """Start the clock of an open round again."""
        ...

    def put_note(self, task: str, version: int, kind: str, name: str, data: bytes) -> bool:
        """Keep `data` until the next model is out; False when the name is taken, and then nothing changes."""
        ...

    def note(self, task: str, version: int, kind: str, name: str) -> bytes | None:
        """One note; None when it is not there."""
        ...

    def note_names(self, task: str, version: int, kind: str) -> set[str]:
        """The notes of a kind that are there."""
        ...

    def add_model(self, task: str, version: int, weights: Floats, memory: State, now_s: float) -> None:
        """Publish model `version` and open its round, and forget the updates and notes that made it."""
        ...

    def count_rejection(self, task: str, version: int, reason: str) -> None:
        """Count a refused upload."""
        ...

    def rejections(self, task: str) -> dict[str, int]:
        """How many uploads were refused, by reason."""
        ...


def settings_to_json(settings: TaskSettings) -> str:
    """Plain text."""
    return json.dumps(asdict(settings))


def settings_from_json(text: str | bytes) -> TaskSettings:
    """What :func:`settings_to_json` wrote."""
    found = json.loads(text)
    return TaskSettings(**{**found, "statistics": tuple(map(tuple, found["statistics"]))})
