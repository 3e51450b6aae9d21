"""The engine of one machine: threads of this process."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suffice.models.protocol import Model
    from suffice.models.recipe import Recipe
    from suffice.models.run import Arguments, Locate, Outcome, StageSeconds


class LocalEngine:
    """:class:`~suffice.models.engines.engine.InferenceEngine` of this process."""

    def run(
        self,
        model: Model,
        recipe: Recipe | None,
        inputs: Sequence[Arguments],
        locate: Locate,
        seconds: StageSeconds,
        has_worked: bool,
    ) -> Generator[list[Outcome], None, None]:
        from suffice.models.run import run_model  # a connection that runs no model loads no decoder

        return run_model(model, inputs, locate, seconds, has_worked=has_worked)

    def close(self) -> None:
        """Nothing was started."""
