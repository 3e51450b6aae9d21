"""A model made of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from suffice.models.protocol import Row, Signature


@dataclass(frozen=True)
class BatchModel:
    """A :class:`~suffice.models.protocol.Model` from a signature and two functions."""

    signature: Signature
    prepare: Callable[..., Any]
    predict: Callable[[Sequence[Any]], Sequence[list[Row] | Exception]]
