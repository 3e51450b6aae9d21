"""The engine on Ray: actors hold models and take stretches of inputs; one that dies is replaced."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from suffice.errors import SufficeWarning
from suffice.media.meter import current_meter
from suffice.models.engines.local import LocalEngine
from suffice.models.engines.ray_pool import RayPool
from suffice.models.engines.ray_run import RayRun
from suffice.models.engines.ray_worker import Batch, Stretch
from suffice.models.engines.stretches import files_of, stretches
from suffice.models.protocol import Model
from suffice.models.recipe import Recipe
from suffice.models.roots import chosen_roots
from suffice.models.run import Arguments, Locate, Outcome, StageSeconds, raise_if_hopeless


class RayEngine:
    """:class:`~suffice.models.engines.engine.InferenceEngine` of the actors in `pool`."""

    def __init__(self, pool: RayPool) -> None:
        self._pool = pool

    def run(
        self,
        model: Model,
        recipe: Recipe | None,
        inputs: Sequence[Arguments],
        locate: Locate,
        seconds: StageSeconds,
        has_worked: bool,
    ) -> Generator[list[Outcome], None, None]:
        """Batches of outcomes as they come in, in no order.

        A model that waits for somebody else's server (it has a spend) runs here: to ship it would only move the wait.
        """
        workers = self._pool.start()
        sent = None if recipe is None or hasattr(model, "spend") else self._sent(recipe)
        if sent is None:
            yield from LocalEngine().run(model, recipe, inputs, locate, seconds, has_worked)
            return
        begin = partial(self._begin, *sent, inputs, self._pool.ray.put(files_of(model.signature, inputs, locate)))
        succeeded = has_worked
        for batch in RayRun(self._pool, begin, stretches(model.signature, inputs, workers)).batches():
            _book(batch, seconds)
            raise_if_hopeless(model.signature, batch.outcomes, succeeded)
            succeeded = True
            yield batch.outcomes

    def close(self) -> None:
        """End the actors."""
        self._pool.stop()

    def _sent(self, recipe: Recipe) -> tuple[str, Any] | None:
        """The recipe's name among the workers and Ray's reference to it; None when it cannot travel."""
        from ray import cloudpickle

        try:
            packed = cloudpickle.dumps(recipe)
        except Exception as error:
            reason = str(error).splitlines()[0][:200]
            warnings.warn(f"{recipe.name} runs here, it cannot be sent to Ray's workers: {reason}", SufficeWarning, 2)
            return None
        return hashlib.blake2b(packed, digest_size=16).hexdigest(), self._pool.ray.put(packed)

    def _begin(
        self, key: str, recipe: Any, inputs: Sequence[Arguments], files: Any, actor: Any, positions: list[int]
    ) -> Any:
        roots = chosen_roots()
        stretch = Stretch(
            [inputs[position] for position in positions],
            None if roots is None else tuple(map(str, roots)),
            os.getcwd(),
            tuple(sys.path),
        )
        return actor.begin.remote(key, recipe, files, stretch)


def _book(batch: Batch, seconds: StageSeconds) -> None:
    """What a worker spent, on the accounts of this process."""
    seconds.add("prepare", batch.prepare_s)
    seconds.add("predict", batch.predict_s)
    if (meter := current_meter()) is not None:
        meter.add(batch.bytes_read)
