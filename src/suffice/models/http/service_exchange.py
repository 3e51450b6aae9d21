"""The shape of suffice's own model service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from suffice.errors import ModelError
from suffice.models.http.columns import row_of
from suffice.models.http.http_client import Request
from suffice.models.protocol import Column, Row


@dataclass(frozen=True)
class ServiceExchange:
    """Inputs go as `pack` makes a body of them, each as `prepare` makes it; outputs come back as JSON."""

    outputs: tuple[Column, ...]
    prepare: Callable[[Sequence[Any]], Any]
    pack: Callable[[Sequence[Any]], Any]

    def piece(self, *inputs: Any) -> Any:
        return self.prepare(inputs)

    def request(self, pieces: Sequence[Any]) -> Request:
        return Request(self.pack(pieces), len(pieces))

    def usage(self, answer: Any) -> None:
        return None

    def split(self, answer: Any, count: int) -> Any:
        return answer["outputs"]

    def rows(self, part: Any, piece: Any) -> list[Row]:
        if isinstance(part, dict):
            raise ModelError(str(part["error"]))
        return [row_of(item, self.outputs, nullable=True) for item in part]
