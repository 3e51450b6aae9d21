"""A Python function as a model with any columns; counts what it was paid for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from suffice.models.protocol import Column, Row, Signature


class FunctionModel:
    """`function` takes an input's arguments and gives its rows."""

    def __init__(
        self,
        name: str,
        function: Callable[..., list[Row]],
        inputs: Sequence[str],
        outputs: Sequence[tuple[str, str]],
        returns: Literal["scalar", "rows"] = "scalar",
        batch_size: int = 4,
        price: float = 0.0,
        rows_max: int | None = None,
        ranges: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        self.paid = 0
        self._function = function
        columns = tuple(Column(f"x{i}", kind) for i, kind in enumerate(inputs))
        results = tuple(Column(*each) for each in outputs)
        self.signature = Signature(
            name,
            "1",
            columns,
            results,
            returns,
            {},
            batch_size=batch_size,
            price=price,
            rows_max=rows_max,
            ranges=ranges or {},
        )

    def prepare(self, *inputs: Any) -> Any:
        return inputs

    def predict(self, batch: Sequence[Any]) -> list[list[Row]]:
        self.paid += len(batch)
        return [self._function(*each) for each in batch]
