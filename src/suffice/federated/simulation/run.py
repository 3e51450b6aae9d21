"""Run a configuration from the first round to the last."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np

from suffice.federated.aggregate import ControlVariates
from suffice.federated.cohort import Cohort, Train, choose_method, training_processes
from suffice.federated.cohort.local import Method
from suffice.federated.config import FederatedConfig
from suffice.federated.simulation import parts
from suffice.federated.simulation.buffered import buffered_step
from suffice.federated.simulation.checkpoint import load_checkpoint, resume, save_checkpoint
from suffice.federated.simulation.report import Report, RoundRecord, gini
from suffice.federated.simulation.server import Server
from suffice.federated.simulation.state import Run
from suffice.federated.simulation.synchronous import synchronous_round
from suffice.federated.tasks import Task
from suffice.federated.traces import trace_statistics

_DECILE_CLIENTS = 1000


def simulate(
    config: FederatedConfig,
    *,
    task: Task | None = None,
    checkpoint: str | Path | None = None,
    on_round: Callable[[RoundRecord], None] | None = None,
) -> Report:
    """Simulate `config` and report.

    Args:
        task: what to learn, in place of the one `config` names.
        checkpoint: written after every round; when the file is there, the run goes on from it, to the same bits as if
            it had never stopped.
        on_round: called with each finished round.
    """
    import torch

    torch.set_num_threads(config.threads)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    run = assemble(config, checkpoint, task)
    run.began_s += began_s - time.perf_counter()
    before = int(run.counts.sum())
    with _training(run.cohort, config) as run.train:
        while run.server.version < config.rounds:
            (synchronous_round if config.mode == "sync" else buffered_step)(run)
            if on_round is not None:
                on_round(run.records[-1])
            if checkpoint is not None:
                save_checkpoint(run, checkpoint)
    host_s = time.perf_counter() - began_s
    return _report(run, int(run.counts.sum()) - before, host_s, time.process_time() - began_cpu_s)


def assemble(config: FederatedConfig, checkpoint: str | Path | None = None, task: Task | None = None) -> Run:
    """All parts of a run, at its start or where `checkpoint` stands."""
    task = parts.make_task(config) if task is None else task
    saved = load_checkpoint(checkpoint) if checkpoint is not None and Path(checkpoint).exists() else None
    local = parts.make_local(config)
    cohort = Cohort(task, local, _method(config, task, saved[1] if saved else {}))
    traces = parts.make_traces(config, len(task.samples))
    compression = parts.make_compression(config)
    cost = parts.make_cost(cohort, compression, config.reference_flops)
    control = None
    if config.gradient_policy == "scaffold":
        control = ControlVariates(task.samples / task.samples.sum(), cohort.layout.size, config.learning_rate)
    server = Server(
        config,
        cohort.layout.flatten(task.model(config.seed).state_dict()),
        cohort.layout.trained,
        parts.make_weighting(config),
        parts.make_server_optimiser(config),
        parts.make_feedback(compression),
        control,
    )
    selector = parts.make_clients_selector(config, task, traces, cost)
    counts = np.zeros(len(task.samples), dtype=np.int64)
    eligible = parts.eligible_clients(config, task)
    run = Run(config, task, traces, eligible, cohort, cohort.train, cost, selector, server, counts)
    if saved is not None and checkpoint is not None:
        resume(run, *saved, checkpoint)
    return run


def _training(cohort: Cohort, config: FederatedConfig) -> AbstractContextManager[Train]:
    if not config.ray:
        return training_processes(cohort, config.processes)
    from suffice.federated.cohort.machines import training_machines

    return training_machines(cohort, config.processes, config.ray)


def _method(config: FederatedConfig, task: Task, notes: dict[str, object]) -> Method:
    if "method" in notes:
        return cast(Method, notes["method"])
    if config.method != "auto":
        return cast(Method, config.method)
    return choose_method(task, parts.make_local(config))


def _report(run: Run, trained: int, host_s: float, cpu_s: float) -> Report:
    return Report(
        rounds=tuple(run.records),
        weights=run.server.weights,
        clients_per_s=trained / host_s,
        host_s=host_s,
        cpu_s=cpu_s,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        method=run.cohort.method,
        accuracy_by_decile=_deciles(run),
        participation_gini=gini(run.counts),
        settings=asdict(run.config),
        traces=asdict(trace_statistics(run.traces)),
        card=run.task.card,
    )


def _deciles(run: Run) -> tuple[float, ...]:
    """Mean accuracy of each tenth of the clients, the worst served first, each on test data of its own."""
    rng = np.random.default_rng([run.config.seed, 0xDEC])
    clients = rng.permutation(len(run.task.samples))[:_DECILE_CLIENTS]
    accuracy = run.cohort.evaluate(run.server.weights, run.task.gather(clients, "test"))[2]
    ranked = np.sort(accuracy[np.isfinite(accuracy)])
    return tuple(float(tenth.mean()) for tenth in np.array_split(ranked, 10) if len(tenth))
