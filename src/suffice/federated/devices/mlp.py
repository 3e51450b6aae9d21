"""The network that every runtime here can train: two layers, ReLU between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats32


class MlpShape(NamedTuple):
    """Sizes of the layers; weights are in PyTorch's order and shapes: w1 [hidden, inputs], b1, w2 [classes, hidden],
    b2."""

    inputs: int = 64
    hidden: int = 64
    classes: int = 10

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor, in order."""
        first, second = (self.hidden, self.inputs), (self.classes, self.hidden)
        return {"w1": first, "b1": first[:1], "w2": second, "b2": second[:1]}

    @property
    def size(self) -> int:
        """Length P of the flat vector."""
        return self.hidden * (self.inputs + 1) + self.classes * (self.hidden + 1)

    def split(self, weights: Floats32) -> dict[str, Floats32]:
        """The tensors in a flat vector ``[P]``; raises :class:`SufficeError` for another length."""
        if weights.shape != (self.size,):
            raise SufficeError(f"a vector of {weights.shape} is no network of {self.size} weights")
        shapes = self.shapes
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
        parts = np.split(weights.astype(np.float32), ends)
        return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}

    def join(self, tensors: dict[str, Floats32]) -> Floats32:
        """The flat vector of the tensors."""
        return np.concatenate([np.asarray(tensors[name], dtype=np.float32).ravel() for name in self.shapes])
