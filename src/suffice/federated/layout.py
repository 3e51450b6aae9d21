"""One flat vector for all the weights of a model, and what each part of it is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Bools, Floats

if TYPE_CHECKING:
    import torch

Kind = Literal["parameter", "statistic", "counter"]


@dataclass(frozen=True)
class Layout:
    """Names, shapes and kinds of the tensors in a flat weight vector, in order.

    Kinds: ``parameter`` is trained; ``statistic`` is a float buffer (BatchNorm's mean and variance) that is averaged
    but never handed to an adaptive optimiser or to noise; ``counter`` is an integer buffer, averaged and rounded.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    kinds: tuple[Kind, ...]

    @classmethod
    def of(cls, module: torch.nn.Module) -> Layout:
        """The layout of `module`'s state dict."""
        parameters = dict(module.named_parameters())
        state = module.state_dict()
        kinds: list[Kind] = [
            "parameter" if name in parameters else "statistic" if tensor.is_floating_point() else "counter"
            for name, tensor in state.items()
        ]
        return cls(tuple(state), tuple(tuple(tensor.shape) for tensor in state.values()), tuple(kinds))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Elements of each tensor."""
        return tuple(math.prod(shape) for shape in self.shapes)

    @property
    def size(self) -> int:
        """Length P of the flat vector."""
        return sum(self.sizes)

    @property
    def trained(self) -> Bools:
        """``[P]``: True where the element belongs to a parameter."""
        return np.repeat(np.array([kind == "parameter" for kind in self.kinds]), self.sizes)

    @property
    def digest(self) -> str:
        """Changes whenever any name, shape or kind does; two ends that disagree on it must not exchange weights."""
        return hashlib.sha256(repr((self.names, self.shapes, self.kinds)).encode()).hexdigest()[:16]

    def flatten(self, state: Mapping[str, torch.Tensor]) -> Floats:
        """``[P]`` float64 from a state dict of this layout; raises :class:`SufficeError` on another shape."""
        for name, shape in zip(self.names, self.shapes, strict=True):
            if name not in state or tuple(state[name].shape) != shape:
                found = tuple(state[name].shape) if name in state else "nothing"
                raise SufficeError(f"model of another shape: {name} should be {shape}, found {found}")
        return np.concatenate([state[name].detach().cpu().double().numpy().ravel() for name in self.names])

    def unflatten(self, vector: Floats) -> dict[str, torch.Tensor]:
        """A state dict: float32 tensors, counters as int64."""
        import torch

        if vector.shape != (self.size,):
            raise SufficeError(f"a vector of {vector.shape} is no model of {self.size} weights")
        ends = np.cumsum(self.sizes)[:-1]
        state = {}
        for name, shape, kind, part in zip(self.names, self.shapes, self.kinds, np.split(vector, ends), strict=True):
            counted = np.rint(part).astype(np.int64) if kind == "counter" else part.astype(np.float32)
            state[name] = torch.from_numpy(counted).reshape(shape)
        return state
