"""Put a run together from its configuration."""

from __future__ import annotations

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate.compress import ErrorFeedback, Quantise, TopK
from suffice.federated.aggregate.optimisers import ServerOptimiser, make_optimiser
from suffice.federated.aggregate.weightings import Weighting, by_samples, by_staleness, fair, uniform
from suffice.federated.clock import Cost, duration_s
from suffice.federated.clock.flops import flops_per_sample
from suffice.federated.cohort import Cohort, LocalTraining
from suffice.federated.config import FederatedConfig
from suffice.federated.selectors import Population, Selector, make_selector
from suffice.federated.tasks import DigitsTask, LinearTask, SyntheticTask, TableTask, Task
from suffice.federated.traces import Traces, read_fedscale, synthetic_traces

_OPTIMISER_OF = {"fed-avgm": "fedavgm", "fed-adam": "fedadam", "fed-yogi": "fedyogi"}
_SERVER_RATE = {"fed-adam": 0.03, "fed-yogi": 0.03}
_CLUSTERS = 10


def make_task(config: FederatedConfig) -> Task:
    """The task `config` names."""
    common = {"seed": config.seed} | ({"model": config.model} if config.model else {})
    if config.data_set == "synthetic":
        return SyntheticTask(config.clients, alpha=config.alpha, beta=config.beta, **common)  # type: ignore[arg-type]
    if config.data_set == "digits":
        return DigitsTask(config.clients, gamma=config.gamma, **common)  # type: ignore[arg-type]
    if config.data_set == "linear":
        return LinearTask(config.clients, alpha=config.alpha, beta=config.beta, seed=config.seed)
    if config.data_set == "sql":
        raise SufficeError("data_set 'sql': hand the rows in as a TableTask (the command line does)")
    return TableTask.from_csv(config.data_map_file, model=config.model or "mlp")


def make_traces(config: FederatedConfig, clients: int) -> Traces:
    """FedScale's files when given, else synthetic devices; there must be one for every client."""
    if not config.device_conf_file:
        return synthetic_traces(clients, seed=config.seed)
    traces = read_fedscale(config.device_conf_file, config.device_avail_file or None)
    if len(traces) < clients:
        raise SufficeError(f"{config.device_conf_file} has {len(traces)} devices for {clients} clients")
    return traces


def make_local(config: FederatedConfig) -> LocalTraining:
    """Local training as `config` has it."""
    return LocalTraining(
        config.learning_rate,
        config.batch_size,
        config.local_steps or None,
        config.epochs,
        config.momentum,
        config.weight_decay,
        config.proxy_mu if config.gradient_policy == "fed-prox" else 0.0,
    )


def make_server_optimiser(config: FederatedConfig) -> ServerOptimiser:
    """The server's half of the gradient policy."""
    return make_optimiser(optimiser_name(config), server_rate(config))


def optimiser_name(config: FederatedConfig) -> str:
    """The server optimiser of the gradient policy."""
    return _OPTIMISER_OF.get(config.gradient_policy, "fedavg")


def server_rate(config: FederatedConfig) -> float:
    """The server's learning rate."""
    default = _SERVER_RATE.get(config.gradient_policy, 1.0)
    return default if config.server_learning_rate is None else config.server_learning_rate


def make_weighting(config: FederatedConfig) -> Weighting:
    """How updates count; privacy needs every client to count the same."""
    if config.mode != "sync":
        return by_staleness
    if config.privacy != "none":
        return uniform
    return fair(config.qfed_q, config.learning_rate) if config.gradient_policy == "q-fedavg" else by_samples


def make_compression(config: FederatedConfig) -> TopK | Quantise | None:
    """The compressor ``KIND:VALUE`` names, or None."""
    kind, _, value = config.compression.partition(":")
    try:
        if kind == "topk" and 0 < float(value) <= 1:
            return TopK(float(value))
        if kind == "quantise" and 2 <= int(value) <= 16:
            return Quantise(int(value))
    except ValueError:
        pass
    if config.compression != "none":
        raise SufficeError(
            f"compression {config.compression!r}: expected none, topk:SHARE (0..1] or quantise:BITS (2..16)"
        )
    return None


def make_feedback(compression: TopK | Quantise | None) -> ErrorFeedback | None:
    """Error feedback around the compressor."""
    return None if compression is None else ErrorFeedback(compression)


def make_cost(cohort: Cohort, compression: TopK | Quantise | None, reference_flops: float) -> Cost:
    """What a round costs: the model's own FLOPs, and its bytes after compression."""
    from suffice.federated.clock.cost import REFERENCE_FLOPS

    size = cohort.layout.size
    first = cohort.task.gather(np.arange(1)).x[:1]
    flops = flops_per_sample(cohort.module, first) * REFERENCE_FLOPS / reference_flops
    return Cost(flops, 4.0 * size, 4.0 * size if compression is None else compression.bytes_up(size))


def eligible_clients(config: FederatedConfig, task: Task) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """``[N]``: those with enough samples to take part."""
    enough: np.ndarray[tuple[int], np.dtype[np.bool_]] = task.samples >= max(1, config.filter_less)
    if not enough.any():
        raise SufficeError(f"filter_less {config.filter_less}: no client has that many samples")
    return enough


def make_clients_selector(config: FederatedConfig, task: Task, traces: Traces, cost: Cost) -> Selector:
    """The selector `config` names, told what a server can know beforehand."""
    ids = np.arange(len(task.samples))
    local = make_local(config)
    prior_s = duration_s(traces, ids, local.samples_trained(task.samples), cost)
    clusters = np.argsort(np.argsort(prior_s)) * _CLUSTERS // len(ids)
    return make_selector(config.sample_mode, Population(task.samples, prior_s, clusters, traces))
