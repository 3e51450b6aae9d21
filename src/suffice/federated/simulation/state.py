"""A run in progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Bools, Floats, Ints
from suffice.federated.clock import Cost, EventQueue, duration_s
from suffice.federated.cohort import Cohort, Train
from suffice.federated.config import FederatedConfig
from suffice.federated.selectors import Moment, Selector
from suffice.federated.simulation.report import RoundRecord
from suffice.federated.simulation.server import Server
from suffice.federated.tasks import Task
from suffice.federated.traces import Traces

_RNG_SELECT = 0x5E1
_TRIES = 1000


@dataclass
class Run:
    """The parts of a run and where it stands."""

    config: FederatedConfig
    task: Task
    traces: Traces
    eligible: Bools
    cohort: Cohort
    train: Train
    cost: Cost
    selector: Selector
    server: Server
    counts: Ints
    clock_s: float = 0.0
    sampling_rate_max: float = 0.0
    records: list[RoundRecord] = field(default_factory=list)
    queue: EventQueue = field(default_factory=EventQueue)
    weights_of: dict[int, Floats] = field(default_factory=dict)
    draws: int = 0
    began_s: float = field(default_factory=time.perf_counter)

    def online(self) -> Ints:
        """Eligible clients online now; when there are none the clock moves to the first that comes.

        Raises:
            SufficeError: nobody ever comes online.
        """
        for _ in range(_TRIES):
            here = np.flatnonzero(self.traces.online(self.clock_s) & self.eligible)
            if len(here):
                return here
            # Session starts are float32: a little past one is inside it, whatever it was rounded to.
            self.clock_s = float(self.traces.next_online(self.clock_s)[self.eligible].min()) + 0.25
            if not np.isfinite(self.clock_s):
                break
        raise SufficeError("nobody is ever online in these traces (or nobody for a quarter of a second)")

    def select(self, online: Ints, count: int) -> Ints:
        """Ask the selector, with randomness of its own for every draw."""
        self.draws += 1
        rng = np.random.default_rng([self.config.seed, self.draws, _RNG_SELECT])
        chosen = self.selector.select(online, count, Moment(self.server.version + 1, self.clock_s), rng)
        self.sampling_rate_max = max(self.sampling_rate_max, len(chosen) / max(1, len(online)))
        return chosen

    def durations_s(self, clients: Ints) -> Floats:
        """What a round costs each of `clients` now."""
        trained = self.cohort.local.samples_trained(self.task.samples[clients])
        return duration_s(self.traces, clients, trained, self.cost)

    def evaluate(self) -> tuple[float, float]:
        """Test loss and accuracy, on the rounds that are evaluated."""
        if self.server.version % self.config.eval_interval and self.server.version != self.config.rounds:
            return float("nan"), float("nan")
        loss, _, accuracy = self.cohort.evaluate(self.server.weights, self.task.test())
        return float(loss[0]), float(accuracy[0])

    def record(
        self, *, clients: int, rejected: int, dropped: int, late: int, wasted: float, sent: int, returned: int
    ) -> None:
        """Note a step that has just been taken; `sent` models went down and `returned` updates came up."""
        loss, accuracy = self.evaluate()
        self.records.append(
            RoundRecord(
                round=self.server.version,
                virtual_s=self.clock_s,
                accuracy=accuracy,
                loss=loss,
                clients=clients,
                rejected=rejected,
                dropped=dropped,
                late=late,
                wasted=wasted,
                bytes_down=round(sent * self.cost.bytes_down),
                bytes_up=round(returned * self.cost.bytes_up),
                epsilon=self.server.epsilon(self.sampling_rate_max),
                host_s=time.perf_counter() - self.began_s,
            )
        )
