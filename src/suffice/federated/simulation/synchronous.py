"""One synchronous round."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats, Ints
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
    chunks = run.train(run.server.weights, clients, key, correction)
    total, rows = run.server.collect(chunks, 0, learnt)
    run.server.apply(total, rows)
    return total.rejected


def _feedback(run: Run, asked: Ints, duration_s: Floats, learnt: Learnt) -> Feedback:
    loss_mean, loss_rms = (np.full(len(run.counts), np.nan) for _ in range(2))
    for clients, mean, rms in zip(learnt.clients, learnt.loss_mean, learnt.loss_rms, strict=True):
        loss_mean[clients], loss_rms[clients] = mean, rms
    completed = np.isfinite(loss_mean[asked])
    samples = run.task.samples[asked]
    return Feedback(run.server.version, asked, completed, samples, loss_mean[asked], loss_rms[asked], duration_s)


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
