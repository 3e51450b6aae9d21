"""The actors of an engine: started with the first model that runs, replaced when one dies."""

from __future__ import annotations

import os
from typing import Any

from suffice.errors import SufficeError, UsageError
from suffice.models.engines.ray_worker import RayWorker


class RayPool:
    """Actors by number, one core each.

    Args:
        address: ``ray://HOST:PORT``; None is this machine, or the cluster that ``RAY_ADDRESS`` names.
        workers: how many; None is one a core of the cluster.

    Raises:
        UsageError: Ray is not installed.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        try:
            import ray
        except ImportError:
            raise UsageError("the engine ray needs Ray: pip install 'suffice[ray]'") from None
        self.ray, self._address, self._wanted = ray, address, workers
        self._actors: list[Any] = []
        self._is_own = False

    def start(self) -> int:
        """Start what is not started yet; gives the number of actors.

        Raises:
            SufficeError: the cluster cannot be reached, or has fewer cores than workers are wanted.
        """
        if not self._actors:
            self._connect()
            cores = int(self.ray.cluster_resources().get("CPU", 0))
            count = self._wanted or max(1, cores)
            if count > cores:
                raise SufficeError(f"Ray has {cores} cores here, and {count} workers are wanted")
            self._actors = [self._actor() for _ in range(count)]
        return len(self._actors)

    def actor(self, rank: int) -> Any:
        """Ray's handle."""
        return self._actors[rank]

    def replace(self, rank: int) -> None:
        """A new actor in place of one that died."""
        self._actors[rank] = self._actor()

    def stop(self) -> None:
        """End the actors, and Ray if it was started here."""
        for actor in self._actors:
            self.ray.kill(actor)
        self._actors = []
        if self._is_own:
            self.ray.shutdown()
            self._is_own = False

    def _connect(self) -> None:
        if self.ray.is_initialized():
            return
        quiet = {"log_to_driver": False, "configure_logging": False}
        try:
            if self._address or "RAY_ADDRESS" in os.environ:
                self.ray.init(self._address, **quiet)
            else:
                cores = self._wanted or os.cpu_count() or 1
                self.ray.init(num_cpus=cores, include_dashboard=False, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = self._address or os.environ.get("RAY_ADDRESS") or "this machine"
            raise SufficeError(f"Ray on {where} cannot be reached: {str(error).splitlines()[0]}") from None
        self._is_own = True

    def _actor(self) -> Any:
        return self.ray.remote(num_cpus=1)(RayWorker).remote()
