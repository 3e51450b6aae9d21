"""Steps without rounds: FedBuff, and its semi-synchronous kin."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate import Partial, fold
from suffice.federated.arrays import Floats32
from suffice.federated.clock import Arrival
from suffice.federated.selectors import Feedback
from suffice.federated.simulation.server import Learnt
from suffice.federated.simulation.state import Run

_PATIENCE = 100_000


def buffered_step(run: Run) -> None:
    """Keep `max_concurrency` clients busy until the buffer is due, then fold it and step.

    ``async``: due when `num_participants` updates are in (Nguyen et al., AISTATS 2022), or when everybody online has
    brought one. ``semi``: due every `period_s`, whatever came in. A client trains on the version it was given; too
    stale an update is thrown away.
    """
    run.weights_of[run.server.version] = run.server.weights
    due_s = run.clock_s + run.config.period_s if run.config.mode == "semi" else np.inf
    buffer, spent_s, wasted_s, lost = _fill(run, due_s)
    useful = [a for a in buffer if run.server.version - a.version <= run.config.max_staleness]
    wasted_s += sum(a.time_s - a.start_s for a in buffer) - sum(a.time_s - a.start_s for a in useful)
    learnt = Learnt()
    rejected = _step(run, useful, learnt)
    if run.config.mode == "semi":
        run.clock_s = max(run.clock_s, due_s)
    _observe(run, learnt)
    run.record(
        clients=len(useful) - rejected,
        rejected=rejected,
        dropped=lost,
        late=len(buffer) - len(useful),
        wasted=wasted_s / spent_s if spent_s > 0 else 0.0,
        sent=len(buffer) + lost,
        returned=len(buffer),
    )
    kept = run.queue.versions()
    run.weights_of = {version: weights for version, weights in run.weights_of.items() if version in kept}


def _fill(run: Run, due_s: float) -> tuple[list[Arrival], float, float, int]:
    buffer: list[Arrival] = []
    spent_s, wasted_s, lost = 0.0, 0.0, 0
    for _ in range(_PATIENCE):
        if run.config.mode == "async" and len(buffer) >= run.config.num_participants:
            return buffer, spent_s, wasted_s, lost
        _refill(run, {arrival.client for arrival in buffer})
        if run.queue.peek_s() > due_s or not len(run.queue):
            return buffer, spent_s, wasted_s, lost
        arrival = run.queue.pop()
        run.clock_s = max(run.clock_s, arrival.time_s)
        spent_s += arrival.time_s - arrival.start_s
        wasted_s += arrival.time_s - arrival.start_s if arrival.lost else 0.0
        lost += arrival.lost
        buffer += [] if arrival.lost else [arrival]
    raise SufficeError(f"no step after {_PATIENCE} clients: they all go offline before they finish")


def _refill(run: Run, done: set[int]) -> None:
    """Send new clients off, a twentieth of the places at a time: asking who is online is not free."""
    free = run.config.max_concurrency - len(run.queue)
    if free * 20 < run.config.max_concurrency:
        return
    online = run.online() if len(run.queue) == 0 else np.flatnonzero(run.traces.online(run.clock_s) & run.eligible)
    away = np.fromiter((int(a.client) for a in run.queue.arrivals()), dtype=np.int64)
    idle = np.setdiff1d(online, np.concatenate([away, np.fromiter(done, dtype=np.int64)]), assume_unique=False)
    if not len(idle):
        return
    chosen = run.select(idle, free)
    durations_s, until_s = run.durations_s(chosen), run.traces.online_until(run.clock_s, chosen)
    for client, length_s, limit_s in zip(chosen, durations_s, until_s, strict=True):
        finish_s = run.clock_s + float(length_s)
        arrival = Arrival(
            min(finish_s, limit_s), int(client), run.server.version, run.clock_s, bool(finish_s > limit_s)
        )
        run.queue.push(arrival)


def _step(run: Run, useful: list[Arrival], learnt: Learnt) -> int:
    by_version: dict[int, list[int]] = defaultdict(list)
    for arrival in useful:
        by_version[arrival.version].append(arrival.client)
    size = len(run.server.weights)
    parts: list[Partial] = []
    rows: list[Floats32] = []
    for version, clients in sorted(by_version.items()):
        chunks = run.train(run.weights_of[version], np.array(clients), (run.config.seed, version), None)
        part, some = run.server.collect(chunks, run.server.version - version, learnt)
        parts, rows = [*parts, part], rows + some
    total = fold(parts, size)
    run.server.apply(total, rows)
    np.add.at(run.counts, [arrival.client for arrival in useful], 1)
    return total.rejected


def _observe(run: Run, learnt: Learnt) -> None:
    if not learnt.clients:
        return
    clients = np.concatenate(learnt.clients)
    samples, mean = np.concatenate(learnt.samples), np.concatenate(learnt.loss_mean)
    rms = np.concatenate(learnt.loss_rms)
    done = np.ones(len(clients), dtype=bool)
    run.selector.observe(Feedback(run.server.version, clients, done, samples, mean, rms, run.durations_s(clients)))
