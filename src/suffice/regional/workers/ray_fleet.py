"""The control plane on Ray: one actor a worker, so that Ray places them, on one machine or many, and sees them die.

The data plane stays torch.distributed inside the actors (all on this machine's loopback, as with processes).
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError
from suffice.regional.workers import messages as say
from suffice.regional.workers.fleet import Lost

if TYPE_CHECKING:
    from suffice.regional.model import Recipe

HEAR_S = 5.0


class ActorBody:
    """What runs inside an actor: the same worker as in a process, its line two queues."""

    def __init__(self, recipe: Recipe, device: str | None) -> None:
        from suffice.regional.model import load_networks
        from suffice.regional.workers.worker import serve

        self._orders: queue.Queue[Any] = queue.Queue()
        self._said: queue.Queue[Any] = queue.Queue()
        line = _QueueLine(self._orders, self._said)
        threading.Thread(target=serve, args=(load_networks(recipe, device), line, os.getpid()), daemon=True).start()

    def tell(self, message: Any) -> None:
        """An order."""
        self._orders.put(message)

    def hear(self) -> list[Any]:
        """What was said, as soon as there is something, at most :data:`HEAR_S` later."""
        try:
            return [self._said.get(timeout=HEAR_S)]
        except queue.Empty:
            return []


class _QueueLine:
    def __init__(self, orders: queue.Queue[Any], said: queue.Queue[Any]) -> None:
        self._orders, self._said = orders, said

    def send(self, message: Any) -> None:
        self._said.put(message)

    def recv(self) -> Any:
        return self._orders.get()


class RayFleet:
    """:class:`suffice.regional.workers.fleet.Fleet` of Ray actors. Raises :class:`UsageError` without Ray."""

    def __init__(self, count: int, recipe: Recipe, device: str | None = None) -> None:
        try:
            import ray
        except ImportError:
            raise UsageError("--launch ray needs Ray: pip install 'suffice[ray]'") from None
        self._ray, self._args = ray, (recipe, device)
        self._own = not ray.is_initialized()
        if self._own:
            ray.init(num_cpus=count + 1, include_dashboard=False, log_to_driver=False, configure_logging=False)
        self._actors: dict[int, Any] = {}
        self._hearing: dict[Any, int] = {}
        for rank in range(count):
            self.replace(rank)

    @property
    def ranks(self) -> Sequence[int]:
        return tuple(self._actors)

    def replace(self, rank: int) -> None:
        """Start an actor for `rank`."""
        gpus = 1 if str(self._args[1] or "").startswith("cuda") else 0
        kind = self._ray.remote(num_cpus=1, num_gpus=gpus, max_concurrency=2)(ActorBody)
        self._actors[rank] = kind.remote(*self._args)
        self._listen(rank)

    def actor(self, rank: int) -> Any:
        """Ray's handle."""
        return self._actors[rank]

    def _listen(self, rank: int) -> None:
        self._hearing[self._actors[rank].hear.remote()] = rank

    def send(self, rank: int, message: Any) -> None:
        """Waits until the actor has it, since calls of an actor with several threads may overtake each other."""
        with contextlib.suppress(self._ray.exceptions.RayActorError):  # noticed by poll
            self._ray.get(self._actors[rank].tell.remote(message))

    def poll(self, seconds: float) -> list[tuple[int, Any]]:
        """What was said."""
        heard, _ = self._ray.wait(list(self._hearing), num_returns=1, timeout=seconds)
        return [(rank, reply) for one in heard for rank, reply in self._heard(one)]

    def _heard(self, one: Any) -> list[tuple[int, Any]]:
        rank = self._hearing.pop(one)
        try:
            said = self._ray.get(one)
        except self._ray.exceptions.RayActorError:
            return [(rank, Lost())]
        self._listen(rank)
        return [(rank, reply) for reply in said]

    def stop(self) -> None:
        """End the actors, and Ray if it was started here."""
        for rank in self._actors:
            self._actors[rank].tell.remote(say.Stop())
        for actor in self._actors.values():
            self._ray.kill(actor)
        if self._own:
            self._ray.shutdown()
