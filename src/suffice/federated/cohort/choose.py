"""Vectorised or one by one: measured, not guessed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from suffice.federated.cohort.local import LocalTraining, Method
from suffice.federated.cohort.train import Cohort
from suffice.federated.tasks import Task

if TYPE_CHECKING:
    import torch

_PROBE_CLIENTS = 24


def choose_method(task: Task, local: LocalTraining) -> Method:
    """The faster of ``vmap`` and ``loop`` on a few clients of `task`.

    Models with buffers or dropout go one by one whatever the clock says: their clients do not commute with vmap. The
    two differ in the last bits, so a run that must repeat exactly keeps the choice (a checkpoint does).
    """
    module = task.model(0)
    if list(module.buffers()) or any(_draws(part) for part in module.modules()):
        return "loop"
    clients = np.arange(min(_PROBE_CLIENTS, len(task.samples)))
    seconds = {method: _seconds(Cohort(task, local, method), clients) for method in ("vmap", "loop")}
    return "vmap" if seconds["vmap"] <= seconds["loop"] else "loop"


def _draws(part: torch.nn.Module) -> bool:
    return type(part).__name__.startswith(("Dropout", "AlphaDropout", "FeatureAlphaDropout"))


def _seconds(cohort: Cohort, clients: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    start = cohort.layout.flatten(cohort.module.state_dict())
    list(cohort.train(start, clients[:2], (0, 0)))
    began = time.thread_time()
    list(cohort.train(start, clients, (0, 0)))
    return time.thread_time() - began
