"""A federated task from rows: FedScale's CSV, or the result of any query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suffice.errors import SufficeError, nearest
from suffice.federated.arrays import Floats32, Ints
from suffice.federated.tasks.card import ModelCard
from suffice.federated.tasks.models import build_model
from suffice.federated.tasks.protocol import ClientData, Loss, Split

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

_COLUMNS = ("client_id", "sample", "label")


class TableTask:
    """Rows ``client_id, sample, label``: `sample` is a list of numbers, or text of numbers split by blanks or commas,
    in brackets or not.

    The last fifth of each client's rows is held out for testing.
    """

    loss: Loss = "cross_entropy"

    def __init__(self, table: pa.Table, *, model: str = "mlp") -> None:
        for column in _COLUMNS:
            if column not in table.column_names:
                raise SufficeError(
                    f"no column {column!r} among {table.column_names}{nearest(column, table.column_names)}"
                )
        if not len(table) or any(table[column].null_count for column in _COLUMNS):
            raise SufficeError(f"{len(table)} rows of {', '.join(_COLUMNS)}: expected some, and no NULL among them")
        names, client = np.unique(np.asarray(table["client_id"].to_pylist()), return_inverse=True)
        order = np.argsort(client, kind="stable")
        self._x = _features(table["sample"].to_pylist())[order]
        labels, y = np.unique(np.asarray(table["label"].to_pylist()), return_inverse=True)
        self._y: Ints = y[order]
        self.client_names = [str(name) for name in names]
        self._start = np.concatenate([[0], np.cumsum(np.bincount(client))]).astype(np.int64)
        self.samples: Ints = np.diff(self._start) - np.diff(self._start) // 5
        self.card = ModelCard(model, self._x.shape[1], len(labels), tuple(labels.tolist()))

    @classmethod
    def from_csv(cls, path: str | Path, *, model: str = "mlp") -> TableTask:
        """Read a file with a header ``client_id,sample,label``."""
        import pyarrow as pa
        from pyarrow import csv

        try:
            return cls(csv.read_csv(path), model=model)
        except (OSError, pa.ArrowInvalid) as error:
            raise SufficeError(f"{path} is not a readable CSV: {error}") from None

    def gather(self, clients: Ints, split: Split = "train") -> ClientData:
        first, middle, last = (
            self._start[clients],
            self._start[clients] + self.samples[clients],
            self._start[clients + 1],
        )
        bounds = zip(first, middle, strict=True) if split == "train" else zip(middle, last, strict=True)
        spans = [np.arange(a, b) for a, b in bounds]
        rows = np.concatenate(spans)
        offsets = np.concatenate([[0], np.cumsum([len(span) for span in spans])]).astype(np.int64)
        return ClientData(self._x[rows], self._y[rows], offsets)

    def test(self) -> ClientData:
        pooled = self.gather(np.arange(len(self.samples)), "test")
        return ClientData(pooled.x, pooled.y, np.array([0, len(pooled.y)]))

    def model(self, seed: int) -> torch.nn.Module:
        return build_model(self.card, seed)


def _features(samples: list[Any]) -> Floats32:
    rows = [_numbers(sample) if isinstance(sample, str) else sample for sample in samples]
    try:
        return np.array(rows, dtype=np.float32).reshape(len(rows), -1)
    except (TypeError, ValueError):
        raise SufficeError(
            f"column 'sample' must hold equally many numbers in every row, like '0.5 1 2' or '[0.5, 1, 2]': the first "
            f"holds {str(samples[0])[:40]!r}"
        ) from None


def _numbers(sample: str) -> list[str]:
    return sample.strip(" []").replace(",", " ").split()
