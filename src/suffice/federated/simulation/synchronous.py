"""One synchronous round."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Bools, Floats, Ints
from suffice.federated.clock import RoundClose, close_round
from suffice.federated.selectors import Feedback
from suffice.federated.simulation.server import Learnt
from suffice.federated.simulation.state import Run


def synchronous_round(run: Run) -> None:
    """Ask more clients than needed, train those that will count, fold them, step, and move the clock.

    Stragglers and drop-outs are known from the traces before anything is trained, so they cost virtual device-seconds
    and no host time.
    """
    config = run.config
    online = run.online()
    asked = run.select(online, -(-int(config.num_participants * config.overcommitment * 1000) // 1000))
    duration_s = run.durations_s(asked)
    close = close_round(
        run.clock_s,
        duration_s,
        run.traces.online_until(run.clock_s, asked),
        target=min(config.num_participants, len(asked)),
        deadline_s=config.deadline_s,
        reports_min=config.reports_min,
    )
    counted = asked[close.completed]
    learnt = Learnt()
    rejected = _step(run, counted, learnt)
    run.counts[counted] += 1
    run.clock_s = close.end_s
    run.selector.observe(_feedback(run, asked, duration_s, learnt))
    _record(run, close, len(asked), len(counted) - rejected, rejected)


def _step(run: Run, clients: Ints, learnt: Learnt) -> int:
    correction = None
    if run.server.control is not None and len(clients):
        correction = run.server.control.correction(clients)
    key = (run.config.seed, run.server.version)
    chunks = run.cohort.train(run.server.weights, clients, key, correction)
    total, rows = run.server.collect(chunks, 0, learnt)
    run.server.apply(total, rows)
    return total.rejected


def _feedback(run: Run, asked: Ints, duration_s: Floats, learnt: Learnt) -> Feedback:
    known = np.concatenate([*learnt.clients, np.zeros(0, dtype=np.int64)])
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], asked), max(0, len(known) - 1))
    completed: Bools = np.zeros(len(asked), bool) if not len(known) else known[order][place] == asked
    loss = [np.full(len(asked), np.nan) for _ in range(2)]
    for column, values in zip(loss, (learnt.loss_mean, learnt.loss_rms), strict=True):
        column[completed] = np.concatenate([*values, np.zeros(0)])[order][place][completed]
    return Feedback(run.server.version, asked, completed, run.task.samples[asked], loss[0], loss[1], duration_s)


def _record(run: Run, close: RoundClose, asked: int, clients: int, rejected: int) -> None:
    total_s = close.useful_s + close.wasted_s
    run.record(
        clients=clients,
        rejected=rejected,
        dropped=len(close.dropped),
        late=len(close.late),
        wasted=close.wasted_s / total_s if total_s > 0 else 0.0,
        sent=asked,
        returned=len(close.completed),
    )
