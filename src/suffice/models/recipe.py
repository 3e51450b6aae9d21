"""How a model is made, so that another process can make the same one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from suffice.errors import ModelError, SufficeError
from suffice.models.protocol import Model

Factory = Callable[..., Model]
"""Options as keywords to a model."""


@dataclass(frozen=True)
class Recipe:
    """`factory` called with `options` gives the model."""

    name: str
    factory: Factory
    options: Mapping[str, Any]

    def build(self) -> Model:
        """Make it; raises :class:`SufficeError` with one line when it cannot be set up."""
        try:
            model = self.factory(**self.options)
        except SufficeError:
            raise
        except Exception as error:
            raise ModelError(f"model {self.name!r} cannot be set up: {type(error).__name__}: {error}") from error
        if not hasattr(model, "signature"):
            raise ModelError(
                f"model {self.name!r} is made by a function that gives no model: @suffice.model makes one of it"
            )
        return model
