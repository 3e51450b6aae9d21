"""Who is training, and who comes back next: the clock of rounds without rounds."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from suffice.federated.arrays import State


class Arrival(NamedTuple):
    """The moment a client comes back (or, when `lost`, is given up), with the model version it started from."""

    time_s: float
    client: int
    version: int
    start_s: float
    lost: bool


@dataclass
class EventQueue:
    """Clients in flight, in order of arrival; one client is never in flight twice (FedScale's FedBuff lets it be)."""

    _heap: list[Arrival] = field(default_factory=list)
    _busy: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._heap)

    def busy(self, client: int) -> bool:
        """Whether `client` is in flight."""
        return client in self._busy

    def push(self, arrival: Arrival) -> None:
        """Send a client off; raises ValueError when it is under way already."""
        if arrival.client in self._busy:
            raise ValueError(f"client {arrival.client} is already in flight")
        self._busy.add(arrival.client)
        heapq.heappush(self._heap, arrival)

    def pop(self) -> Arrival:
        """The next arrival."""
        arrival = heapq.heappop(self._heap)
        self._busy.discard(arrival.client)
        return arrival

    def peek_s(self) -> float:
        """When the next arrival is due; inf when nobody is in flight."""
        return self._heap[0].time_s if self._heap else np.inf

    def arrivals(self) -> list[Arrival]:
        """Everybody in flight, in no order."""
        return list(self._heap)

    def versions(self) -> set[int]:
        """Model versions still being trained on."""
        return {arrival.version for arrival in self._heap}

    def state(self) -> State:
        """The queue as one array ``[n, 5]``."""
        return {"arrivals": np.array(sorted(self._heap), dtype=np.float64).reshape(-1, 5)}

    def restore(self, state: State) -> None:
        """Take up a queue saved by :meth:`state`."""
        rows = state["arrivals"].tolist()
        self._heap = [
            Arrival(t, int(client), int(version), start, bool(lost)) for t, client, version, start, lost in rows
        ]
        self._busy = {arrival.client for arrival in self._heap}
