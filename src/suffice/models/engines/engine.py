"""What an engine is: inputs in, batches of outcomes out, whoever computes them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from suffice.models.protocol import Model
    from suffice.models.recipe import Recipe
    from suffice.models.run import Arguments, Locate, Outcome, StageSeconds


class InferenceEngine(Protocol):
    """Runs models over inputs for one connection. Whoever receives a batch writes it down before asking for more."""

    def run(
        self,
        model: Model,
        recipe: Recipe | None,
        inputs: Sequence[Arguments],
        locate: Locate,
        seconds: StageSeconds,
        has_worked: bool,
    ) -> Generator[list[Outcome], None, None]:
        """As :func:`suffice.models.run.run_model`; `recipe` makes the same model in another process, if one can."""
        ...

    def close(self) -> None:
        """Let go of whatever was started."""
        ...
