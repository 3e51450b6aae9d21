"""The control plane: start workers, talk to them, notice the dead, put new ones in their place."""

from __future__ import annotations

import multiprocessing as mp
import os
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Protocol

from suffice.errors import SufficeError
from suffice.regional.workers import messages as say

if TYPE_CHECKING:
    from suffice.regional.denoiser import Networks
    from suffice.regional.model import Recipe


class WorkerError(SufficeError):
    """A worker met an error, or too many were lost."""


class Lost:
    """Stands in the place of a reply when a worker is gone."""


class Fleet(Protocol):
    """Workers by rank. :meth:`poll` gives what they said, or :class:`Lost`, at most `seconds` later."""

    @property
    def ranks(self) -> Sequence[int]: ...

    def send(self, rank: int, message: Any) -> None: ...

    def poll(self, seconds: float) -> list[tuple[int, Any]]: ...

    def replace(self, rank: int) -> None: ...

    def stop(self) -> None: ...


class ProcessFleet:
    """Worker processes over pipes; a process that starts them has the heavy imports done (``forkserver``).

    `recipe` says what they load. The planner's own networks work as a further, last rank on a thread when `also` gives
    them.
    """

    def __init__(self, count: int, recipe: Recipe, device: str | None = None, also: Networks | None = None) -> None:
        self._context = mp.get_context("forkserver")
        self._context.set_forkserver_preload(["suffice.regional.workers.process"])
        self._args = (recipe, device)
        self._lines: dict[int, Connection] = {}
        self._processes: dict[int, Any] = {}
        self._lost: set[int] = set()
        self.pids: dict[int, int] = {}
        for rank in range(count):
            self.replace(rank)
        if also is not None:
            self._lines[count] = on_thread(also)

    @property
    def ranks(self) -> Sequence[int]:
        return tuple(self._lines)

    def replace(self, rank: int) -> None:
        """Start a process for `rank`."""
        from suffice.regional.workers.process import main

        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=main, args=(theirs, *self._args, _threads()), daemon=True)
        process.start()
        theirs.close()
        self._lines[rank], self._processes[rank] = ours, process
        self._lost.discard(rank)
        self.pids[rank] = process.pid or 0

    def send(self, rank: int, message: Any) -> None:
        """Never waits for the worker to read more than a pipe holds; a dead one is noticed by :meth:`poll`."""
        if rank not in self._lost:
            try:
                self._lines[rank].send(message)
            except OSError:
                return

    def poll(self, seconds: float) -> list[tuple[int, Any]]:
        """What was said."""
        lines = {rank: line for rank, line in self._lines.items() if rank not in self._lost}
        heard = wait(list(lines.values()), seconds)
        return [(rank, self._read(rank, line)) for rank, line in lines.items() if line in heard]

    def _read(self, rank: int, line: Any) -> Any:
        try:
            return line.recv()
        except (EOFError, OSError):
            self._lost.add(rank)
            return Lost()

    def stop(self) -> None:
        """Say stop; who does not leave in time is ended."""
        for rank in self._lines:
            self.send(rank, say.Stop())
        for process in self._processes.values():
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join(5)
        for line in self._lines.values():
            line.close()


class ThreadFleet:
    """Workers on threads of this process, each with networks of its own: the whole exchange, no start-up."""

    def __init__(self, networks: Sequence[Networks]) -> None:
        self._lines = {rank: on_thread(one) for rank, one in enumerate(networks)}

    @property
    def ranks(self) -> Sequence[int]:
        return tuple(self._lines)

    def send(self, rank: int, message: Any) -> None:
        self._lines[rank].send(message)

    def poll(self, seconds: float) -> list[tuple[int, Any]]:
        heard = wait(list(self._lines.values()), seconds)
        return [(rank, line.recv()) for rank, line in self._lines.items() if line in heard]

    def replace(self, rank: int) -> None:
        raise WorkerError("a thread cannot be replaced")

    def stop(self) -> None:
        for line in self._lines.values():
            line.send(say.Stop())


def on_thread(networks: Networks, serve: Callable[..., None] | None = None) -> Connection:
    """A worker on a thread of this process, on `networks`, which nobody else may run meanwhile; the line to it."""
    from suffice.regional.workers.worker import serve as serve_worker

    ours, theirs = mp.Pipe()
    target = serve or serve_worker
    threading.Thread(target=target, args=(networks, theirs, os.getpid()), daemon=True).start()
    return ours


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())
