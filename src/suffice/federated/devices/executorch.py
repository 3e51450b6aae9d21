"""ExecuTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats32, Ints
from suffice.federated.devices.batches import batch_rows
from suffice.federated.layout import Layout

if TYPE_CHECKING:
    import torch


_BATCH_MAX = 256
_METHOD = "forward"


def training_program(module: torch.nn.Module, x: Floats32, y: npt.NDArray[Any]) -> bytes:
    """The forward and backward pass of `module` under the cross-entropy as an ExecuTorch program (.pte), for batches of
    2 to 256 samples like ``x [b, …]``, ``y [b]``. Done once, where there is PyTorch's exporter.

    Raises:
        SufficeError: ExecuTorch is not installed.
    """
    import torch

    _installed()
    from executorch.exir import to_edge
    from torch.export.experimental import _export_forward_backward

    class WithLoss(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(self.model(inputs), labels)

    batch = torch.export.Dim("batch", min=2, max=_BATCH_MAX)
    example = (torch.from_numpy(x), torch.from_numpy(y))
    shapes = ({0: batch}, {0: batch})
    exported = torch.export.export(WithLoss(), example, dynamic_shapes=shapes, strict=True)
    return bytes(to_edge(_export_forward_backward(exported)).to_executorch().buffer)


class ExecuTorchTrainer:
    """Trains the network in `program` (of :func:`training_program`) on ``x [n, …]`` and labels ``y [n]``."""

    def __init__(self, program: bytes, layout: Layout, x: Floats32, y: npt.NDArray[Any]) -> None:
        import torch

        _installed()
        from executorch.extension.training import _load_for_executorch_for_training_from_buffer

        self._x, self._y, self._layout = torch.from_numpy(x), torch.from_numpy(y), layout
        # The runtime reads the program where it lies and does not keep it: let go of, and the next pass crashes.
        self._bytes = program
        self._program = _load_for_executorch_for_training_from_buffer(program)
        # The runtime shows its parameters only after a first pass.
        self._mean_loss(slice(0, 2))

    @property
    def samples(self) -> int:
        return len(self._y)

    def set_weights(self, weights: Floats32) -> None:
        held = self._program.named_parameters()
        for name, tensor in self._layout.unflatten(weights.astype(np.float64)).items():
            held[f"model.{name}"].copy_(tensor)

    def get_weights(self) -> Floats32:
        held = self._program.named_parameters()
        return self._layout.flatten({name: held[f"model.{name}"] for name in self._layout.names}).astype(np.float32)

    def train_steps(self, steps: int, batch_size: int, learning_rate: float) -> None:
        from executorch.extension.training import get_sgd_optimizer

        optimiser = get_sgd_optimizer(self._program.named_parameters(), learning_rate, 0, 0, 0, False)
        for rows in batch_rows(self.samples, steps, batch_size):
            self._mean_loss(rows)
            optimiser.step(self._program.named_gradients())

    def evaluate(self) -> float:
        parts = np.array_split(np.arange(self.samples), -(-self.samples // _BATCH_MAX))
        return float(sum(self._mean_loss(rows) * len(rows) for rows in parts) / self.samples)

    def _mean_loss(self, rows: Ints | slice) -> float:
        (loss,) = self._program.forward_backward(_METHOD, (self._x[rows], self._y[rows]))
        return float(loss)


def _installed() -> None:
    import importlib.util

    if importlib.util.find_spec("executorch") is None:
        raise SufficeError("ExecuTorch is not installed: pip install 'suffice[devices]'")
