"""A folding process: reads the children of a node, adds them up, writes the partial, ends.

    python -m suffice.federated.checkin.leaf STORE TASK VERSION UPDATES LEVEL INDEX

Killed at any moment it leaves nothing half done; run again, or twice at once, it writes the same.
"""

from __future__ import annotations

import sys

import numpy as np

from suffice.federated.aggregate.partial import Partial, fold, partial_of
from suffice.federated.aggregate.weightings import by_samples
from suffice.federated.checkin.partials import get_partial, put_partial
from suffice.federated.checkin.stores import Store, StoredUpdate, open_store
from suffice.federated.checkin.tree import Node, children
from suffice.federated.updates import Updates


def fold_node(store: Store, task: str, version: int, node: Node, updates: int) -> None:
    """Fold `node` of the tree over `updates` updates, unless it is done."""
    if get_partial(store, task, version, node) is not None:
        return
    settings = store.settings(task)
    below = children(node, updates, settings.fan_in)
    if node.level == 0:
        parts = [_partial(update) for update in store.uploads(task, version, below, settings.size)]
    else:
        found = [get_partial(store, task, version, Node(node.level - 1, index)) for index in below]
        parts = [part for part in found if part is not None]
    if len(parts) != len(below):
        raise LookupError(f"{node} of version {version} needs {len(below)} children, found {len(parts)}")
    put_partial(store, task, version, node, fold(parts, settings.size))


def _partial(update: StoredUpdate) -> Partial:
    one = np.ones(1, dtype=np.int64)
    loss = np.array([update.loss_mean])
    return partial_of(Updates(one, update.delta[None], one * update.samples, loss, loss, one), by_samples)


if __name__ == "__main__":
    path, name, *numbers = sys.argv[1:]
    model_version, count, node_level, node_index = map(int, numbers)
    fold_node(open_store(path), name, model_version, Node(node_level, node_index), count)
