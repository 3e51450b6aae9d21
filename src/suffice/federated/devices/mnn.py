"""MNN."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats32
from suffice.federated.devices.batches import batch_rows
from suffice.federated.devices.mlp import MlpShape


class MnnTrainer:
    """Trains the two-layer network on ``x [n, inputs]`` and labels ``y [n]``.

    Two things make MNN train without changing anything, and without an error: not asking for lazy evaluation, and
    loading weights that were not marked trainable. Both are done here, and a step that reports failure raises.
    """

    def __init__(self, shape: MlpShape, x: Floats32, y: npt.NDArray[Any]) -> None:
        try:
            import MNN.expr
        except ImportError:
            raise SufficeError("MNN is not installed: pip install 'suffice[devices]'") from None
        MNN.expr.lazy_eval(True)
        self._shape, self._x, self._y = shape, x, y
        self._net = _network(shape)

    @property
    def samples(self) -> int:
        return len(self._y)

    def set_weights(self, weights: Floats32) -> None:
        import MNN.expr as expr

        tensors = list(self._shape.split(weights).values())
        held = [_constant(tensor.reshape(1, -1) if tensor.ndim == 1 else tensor) for tensor in reversed(tensors)]
        for tensor in held:
            tensor.fix_as_trainable()
        if not self._net.load_parameters(held):
            raise SufficeError(f"MNN {expr.__name__}: the network does not take these weights")

    def get_weights(self) -> Floats32:
        read = [np.array(tensor.read(), dtype=np.float32).ravel() for tensor in self._net.parameters]
        return np.concatenate(read[::-1])

    def train_steps(self, steps: int, batch_size: int, learning_rate: float) -> None:
        import MNN.optim

        self._net.train(True)
        optimiser = MNN.optim.SGD(self._net, learning_rate, 0.0, 0.0)
        for rows in batch_rows(self.samples, steps, batch_size):
            if not optimiser.step(self._mean_loss(rows)):
                raise SufficeError("MNN took no step: its graph was evaluated before the gradient was asked for")

    def evaluate(self) -> float:
        return float(self._mean_loss(np.arange(self.samples)).read())

    def _mean_loss(self, rows: npt.NDArray[np.int64]) -> Any:
        import MNN.expr as expr
        import MNN.nn

        labels = expr.const(self._y[rows].tolist(), [len(rows)], expr.NCHW, expr.int)
        wanted = expr.one_hot(labels, self._shape.classes, 1.0, 0.0)
        return MNN.nn.loss.cross_entropy(expr.softmax(self._net.forward(_constant(self._x[rows]))), wanted)


def _constant(values: Floats32) -> Any:
    import MNN.expr as expr

    return expr.const(np.ascontiguousarray(values), list(values.shape), expr.NCHW)


def _network(shape: MlpShape) -> Any:
    import MNN.expr as expr
    import MNN.nn as nn

    class Mlp(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.linear(shape.inputs, shape.hidden), nn.linear(shape.hidden, shape.classes)

        def forward(self, x: Any) -> Any:
            return self.second(expr.relu(self.first(x)))

    return Mlp()
