"""LiteRT (TensorFlow Lite)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats32
from suffice.federated.devices.batches import batch_rows
from suffice.federated.devices.mlp import MlpShape


class LiteRtTrainer:
    """Trains the two-layer network of `program`, a .tflite with signatures ``train`` and ``loss`` that take and give
    the weights (``tools/build_litert_mlp.py`` makes one), on ``x [n, inputs]`` and labels ``y [n]``."""

    def __init__(self, program: str | Path, shape: MlpShape, x: Floats32, y: npt.NDArray[Any]) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise SufficeError("LiteRT needs ai-edge-litert: pip install 'suffice[devices]'") from None
        self._interpreter = Interpreter(str(program), num_threads=1)
        self._train, self._loss = (self._interpreter.get_signature_runner(name) for name in ("train", "loss"))
        self._shape, self._x = shape, x
        self._y = np.eye(shape.classes, dtype=np.float32)[y]
        self._weights = shape.split(np.zeros(shape.size, dtype=np.float32))

    @property
    def samples(self) -> int:
        return len(self._y)

    def set_weights(self, weights: Floats32) -> None:
        self._weights = self._shape.split(weights)

    def get_weights(self) -> Floats32:
        return self._shape.join(self._weights)

    def train_steps(self, steps: int, batch_size: int, learning_rate: float) -> None:
        rate = np.float32(learning_rate)
        for rows in batch_rows(self.samples, steps, batch_size):
            self._weights = self._train(**self._weights, x=self._x[rows], y=self._y[rows], rate=rate)

    def evaluate(self) -> float:
        return float(self._loss(**self._weights, x=self._x, y=self._y)["loss"])
