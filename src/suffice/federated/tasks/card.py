"""What a model is, without its weights: enough to build it again, here or in another process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelCard:
    """Attributes:
    kind: a name of :data:`suffice.federated.tasks.models.MODELS`.
    inputs: numbers a sample has. classes: outputs.
    labels: the name of each output; empty for a regression.
    picture_side: samples are grey pictures of this side, 0 (black) to 1 (white) by row; None for plain numbers.
    """

    kind: str
    inputs: int
    classes: int
    labels: tuple[str | int | float, ...] = ()
    picture_side: int | None = None
