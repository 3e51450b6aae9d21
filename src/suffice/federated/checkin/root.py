"""Close rounds, have the tree folded, publish the next model.

python -m suffice.federated.checkin.root STORE TASK [WORKERS]
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from suffice.errors import SufficeError
from suffice.federated.checkin.leaf import fold_node
from suffice.federated.checkin.partials import folded, get_partial
from suffice.federated.checkin.publish import publish
from suffice.federated.checkin.secure_round import advance_secure
from suffice.federated.checkin.stores import RoundStatus, Store, TaskSettings, open_store
from suffice.federated.checkin.tree import Node, levels

Fold = Callable[[list[Node], int, int], None]
"""``fold(nodes, version, updates)``: get these nodes done, in any order."""

_POLL_S = 0.1
_ATTEMPTS = 20
_FOLD_MAX_S = 300.0


def advance(store: Store, task: str, fold: Fold, now_s: float) -> bool:
    """Bring `task` as far as it can go now; True when a model was published.

    Every step is safe to repeat, so whoever finds the root dead may call this. Full leaves are folded while the round
    is still open.
    """
    settings, status = store.settings(task), store.status(task)
    if settings.secure_threshold:
        return advance_secure(store, task, settings, status, now_s)
    if status.reports is None:
        _fold_missing(store, task, status.version, fold, status.placed, full_only=True)
        if not _due(settings, status, now_s):
            if now_s - status.opened_s >= settings.round_s:
                store.extend_round(task, status.version, now_s)
            return False
        store.close_round(task, status.version)
        status = store.status(task)
    reports = status.reports or 0
    _fold_missing(store, task, status.version, fold, reports, full_only=False)
    top = get_partial(store, task, status.version, Node(len(levels(reports, settings.fan_in)) - 1, 0))
    if top is not None:
        publish(store, task, settings, status.version, top, now_s)
    return True


def fold_here(store: Store, task: str) -> Fold:
    """Fold in this process."""

    def fold(nodes: list[Node], version: int, updates: int) -> None:
        for node in nodes:
            fold_node(store, task, version, node, updates)

    return fold


def fold_in_processes(path: str | Path, task: str, workers: int, seconds_max: float = _FOLD_MAX_S) -> Fold:
    """Fold each node in a process of its own, at most `workers` at a time. One that dies is not mourned: the node is
    still missing, and the next look at the tree starts another. One that hangs is killed after `seconds_max`."""

    def fold(nodes: list[Node], version: int, updates: int) -> None:
        for first in range(0, len(nodes), workers):
            command = [
                sys.executable,
                "-m",
                "suffice.federated.checkin.leaf",
                str(path),
                task,
                str(version),
                str(updates),
            ]
            some = [subprocess.Popen([*command, *map(str, node)]) for node in nodes[first : first + workers]]
            end_s = time.monotonic() + seconds_max
            for process in some:
                _wait(process, end_s)

    return fold


def _wait(process: subprocess.Popen[bytes], end_s: float) -> None:
    try:
        process.wait(max(0.0, end_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _due(settings: TaskSettings, status: RoundStatus, now_s: float) -> bool:
    late = now_s - status.opened_s >= settings.round_s
    return status.received >= settings.target or (late and status.received >= max(1, settings.reports_min))


def _fold_missing(store: Store, task: str, version: int, fold: Fold, updates: int, *, full_only: bool) -> None:
    fan_in = store.settings(task).fan_in
    for level, width in _levels(updates, fan_in, full_only):
        wanted = [Node(level, index) for index in range(width)]
        for _ in range(_ATTEMPTS):
            done = folded(store, task, version)
            if not (missing := [node for node in wanted if node not in done]):
                break
            fold(missing, version, updates)
            if store.status(task).version > version:
                # Another root was sooner, and has cleared away what would be folded here.
                return
        else:
            raise SufficeError(f"{task} version {version}: {len(missing)} nodes of level {level} cannot be folded")


def _levels(updates: int, fan_in: int, full_only: bool) -> Iterator[tuple[int, int]]:
    if full_only:
        yield 0, updates // fan_in
    else:
        yield from enumerate(levels(updates, fan_in))


def run_root(path: str | Path, task: str, workers: int = 2, until_version: int | None = None) -> Iterator[int]:
    """Bring `task` on for ever, or until the model `until_version` is out; yields each version as it is published.

    Any number of roots may run at once, and any of them may be killed: what one has done the others find done.
    """
    store = open_store(path)
    fold = fold_in_processes(store.where, task, workers)
    while until_version is None or store.status(task).version < until_version:
        if advance(store, task, fold, time.time()):
            yield store.status(task).version
        else:
            time.sleep(_POLL_S)


if __name__ == "__main__":
    for _ in run_root(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])):
        pass
