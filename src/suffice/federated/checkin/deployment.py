"""A deployment from the same configuration a simulation takes: its task, its first model, its devices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from suffice.errors import UsageError
from suffice.federated.checkin.client import FederationClient
from suffice.federated.checkin.stores import Store, TaskSettings
from suffice.federated.config import FederatedConfig
from suffice.federated.devices.pytorch import TorchTrainer
from suffice.federated.layout import Layout
from suffice.federated.simulation.parts import make_task, optimiser_name, server_rate

_POLICIES = ("fed-avg", "fed-avgm", "fed-adam", "fed-yogi")
_SIMULATED_ONLY = ("privacy", "compression", "momentum", "weight_decay")
_ASK_AGAIN_MAX_S = 2.0


def create(store: Store, name: str, config: FederatedConfig) -> TaskSettings:
    """Register the task of `config` as `name`, with its first model.

    Raises:
        UsageError: a gradient policy that a folding tree cannot follow, or `name` is taken by another task.
    """
    if config.gradient_policy not in _POLICIES or config.mode != "sync" or config.robust != "none":
        wanted = ", ".join(_POLICIES)
        raise UsageError(f"a deployment folds in a tree: mode sync, robust none, gradient_policy one of {wanted}")
    for key in _SIMULATED_ONLY:
        if getattr(config, key) != getattr(FederatedConfig, key):
            raise UsageError(f"{key} {getattr(config, key)!r}: simulated only, a deployment would leave it out")
    if config.secure_threshold and not config.num_participants / 2 < config.secure_threshold <= config.num_participants:
        raise UsageError("secure_threshold must be more than half of num_participants, and not more than all")
    task = make_task(config)
    module = task.model(config.seed)
    layout = Layout.of(module)
    settings = TaskSettings(
        layout.size,
        layout.digest,
        config.num_participants,
        reports_min=config.reports_min,
        round_s=min(config.deadline_s, 3600.0),
        population=len(task.samples),
        overcommitment=config.overcommitment,
        optimiser=optimiser_name(config),
        server_learning_rate=server_rate(config),
        update_norm_max=min(config.update_norm_max, 1e6),
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
        local_steps=config.local_steps or 5,
        statistics=_statistics(layout),
        secure_threshold=config.secure_threshold,
        secure_step_s=min(config.deadline_s / 4, 60.0),
    )
    store.create_task(name, settings, layout.flatten(module.state_dict()), time.time())
    if store.settings(name) != settings:
        raise UsageError(f"there is a task {name!r} in this store already, with other settings: choose another name")
    return settings


def join(
    address: str,
    name: str,
    config: FederatedConfig,
    client: int,
    turns: int,
    *,
    certificates: bytes | None = None,
    own: tuple[bytes, bytes] | None = None,
    on_wait: Callable[[float, float], None] = lambda asks_again_in_s, told_s: None,
) -> Iterator[bool]:
    """Be ``device-CLIENT`` of the task of `config`: check in, train and send until `turns` updates were taken.

    Yields True for an update that was taken, False for one that was refused or had been sent before.

    Args:
        on_wait: called when the device is not wanted, once until it is: the seconds until it asks again, and those
            after which the replica would have it come back. It asks sooner, for a round may close sooner.
    """
    task = make_task(config)
    if client >= len(task.samples):
        raise UsageError(f"client {client}: there are {len(task.samples)}, counted from 0")
    data, module = task.gather(np.array([client])), task.model(config.seed)
    trainer, digest = TorchTrainer(module, data.x, data.y, task.loss), Layout.of(module).digest
    device = FederationClient(address, f"device-{client}", name, root_certificates=certificates, own=own)
    waiting = False
    try:
        while turns > 0:
            receipt, told_s = device.take_turn(trainer, digest)
            if receipt is None:
                wait_s = min(told_s, _ASK_AGAIN_MAX_S)
                if not waiting:
                    on_wait(wait_s, told_s)
                waiting = True
                time.sleep(wait_s)
                continue
            waiting = False
            taken = receipt.accepted and not receipt.duplicate
            turns -= taken
            yield taken
            if not taken:
                # The round has what this device can give: the next one is worth waiting for.
                time.sleep(_ASK_AGAIN_MAX_S / 4)
    finally:
        device.close()


def _statistics(layout: Layout) -> tuple[tuple[int, int], ...]:
    ends = np.cumsum(layout.sizes).tolist()
    spans = zip(layout.kinds, ends, layout.sizes, strict=True)
    return tuple((end - size, end) for kind, end, size in spans if kind != "parameter")
