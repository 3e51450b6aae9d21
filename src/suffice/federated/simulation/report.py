"""What came of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from suffice.federated.arrays import Floats, Ints
from suffice.federated.tasks.card import ModelCard


@dataclass(frozen=True)
class RoundRecord:
    """One step of the server.

    Attributes:
        virtual_s: virtual seconds since the start of the run, at the end of the step.
        accuracy, loss: on the central test set; NaN on rounds that were not evaluated.
        clients: updates folded in. rejected: updates left out as broken. dropped, late: asked, but never arrived, or
            arrived after the round had closed.
        wasted: share of the device-seconds of the round that went into updates not used.
        bytes_down, bytes_up: on the wire, those of wasted work included.
        epsilon: differential privacy spent so far; None without it.
        host_s: seconds this machine has worked on the run, set-up included.
    """

    round: int
    virtual_s: float
    accuracy: float
    loss: float
    clients: int
    rejected: int
    dropped: int
    late: int
    wasted: float
    bytes_down: int
    bytes_up: int
    epsilon: float | None = None
    host_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Report:
    """A finished run; `weights` ``[P]`` is the model, `card` says what it is.

    `clients_per_s` counts trained clients by host wall clock over the whole run, evaluation and selection included;
    `cpu_s` is the processor time of this process.
    """

    rounds: tuple[RoundRecord, ...]
    weights: Floats
    clients_per_s: float
    host_s: float
    cpu_s: float
    peak_memory_bytes: int
    method: str
    accuracy_by_decile: tuple[float, ...]
    participation_gini: float
    settings: Mapping[str, Any]
    traces: Mapping[str, Any]
    card: ModelCard

    def time_to_accuracy_s(self, target: float) -> float:
        """Virtual seconds until the test accuracy first reached `target`; inf if it never did."""
        return next((r.virtual_s for r in self.rounds if r.accuracy >= target), math.inf)

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is not a number is null."""
        fields = {name: value for name, value in vars(self).items() if name not in ("rounds", "weights", "card")}
        return {"rounds": [_finite(asdict(r)) for r in self.rounds], **_finite(fields)}


def gini(counts: Ints) -> float:
    """Gini coefficient of `counts` ``[N]``: 0 when all took part equally, towards 1 when few did all the work."""
    ordered = np.sort(counts).astype(np.float64)
    if ordered.sum() == 0:
        return 0.0
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * ranks - len(ordered) - 1) @ ordered / (len(ordered) * ordered.sum()))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
