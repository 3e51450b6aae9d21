"""What a model is to the rest of the house.

A model maps one input row to 0..n output rows. It says what columns it takes and gives, how many inputs it
likes at a time and what one costs; planning, caching, batching, threads and retries are not its business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""Pixels, uint8 ``[height, width, 3]``, RGB."""

IMAGE = "IMAGE"
"""Column type of a picture: a reference in SQL, an :data:`Image` when it reaches the model."""


class Column(NamedTuple):
    """A named, typed column: `type` is a DuckDB type, or :data:`IMAGE`."""

    name: str
    type: str


Row = tuple[Any, ...]
"""The output columns of one output row, in declared order, as Python or numpy scalars, lists or strings."""


@dataclass(frozen=True)
class Signature:
    """Everything about a model that planning needs.

    Attributes:
        name: the function name in SQL.
        version: changes whenever the same input could give another output (weights, code, prompt).
            Together with `options` and the input's content it is the cache key.
        inputs: positional argument columns.
        outputs: result columns, at least one.
        returns: ``"scalar"``: exactly one row an input, usable as an expression (its value is the first
            output column when there is one, else a STRUCT of all); ``"rows"``: 0..n rows, usable in FROM.
        options: option name to value, those the user gave and the defaults that matter for the output.
        batch_size: the most inputs :meth:`Model.predict` wants at once.
        concurrency: how many threads may call :meth:`Model.predict` at the same time.
        cost_s: prior seconds of one input on one core, until measured.
        price: money of one input in `currency` units of the provider (0 for local models).
        rows_max: the most rows an input can give, None when the model does not say. Held to by
            :func:`~suffice.models.check.check_rows`; approximate answers with a finite-sample guarantee need it.
        ranges: output column to the (least, largest) value it can have, for numbers; held to in the same way.
        rough: options with which the model says much the same for a fraction of the cost: a score for approximate
            answers (``PROXY auto``). Empty when there is no such way.
    """

    name: str
    version: str
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    returns: Literal["scalar", "rows"]
    options: Mapping[str, Any]
    batch_size: int = 8
    concurrency: int = 1
    cost_s: float = 0.01
    price: float = 0.0
    rows_max: int | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rough: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Model(Protocol):
    """A callable model. Heavy work (loading weights) happens on first use, not in the constructor."""

    @property
    def signature(self) -> Signature: ...

    def prepare(self, *inputs: Any) -> Any:
        """Pre-process one input row (IMAGE columns arrive as :data:`Image`); runs in the decoding threads."""
        ...

    def predict(self, batch: Sequence[Any]) -> Sequence[list[Row] | Exception]:
        """Run on prepared inputs; one element an input: its output rows, or the exception that row alone met."""
        ...


@runtime_checkable
class CosineModel(Model, Protocol):
    """A model of two inputs that is the cosine between what two others make of each: in SQL every picture and every
    text is looked at once and kept, whatever it is compared with later."""

    @property
    def halves(self) -> tuple[Model, Model]:
        """Scalar models of one input that give a FLOAT list of the same fixed length."""
        ...
