"""What a model of this room is made of, from the options of its call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from suffice.errors import UsageError, nearest
from suffice.masks.backend import Finder, Segmenter
from suffice.masks.names import DEFAULT, finder_named, segmenter_named

OPTIONS = ("model", "finder", "min_score")
CODE_REVISION = 1


@dataclass(frozen=True)
class Parts:
    """Segmenter, finder, and the least score of a found box."""

    segmenter: Segmenter
    finder: Finder
    min_score: float | None

    @property
    def is_light(self) -> bool:
        """Whether several threads may use it at once."""
        return self.segmenter.name.startswith(DEFAULT) and self.finder.name == DEFAULT


def parts_of(function: str, options: Mapping[str, Any]) -> Parts:
    """Raises :class:`UsageError` for an option nobody knows."""
    for name in options:
        if name not in OPTIONS:
            raise UsageError(
                f"{function} has no option {name!r}{nearest(name, OPTIONS)}; it takes {', '.join(OPTIONS)}"
            )
    score = options.get("min_score")
    if score is not None and not (isinstance(score, int | float | Decimal) and 0 <= score <= 1):
        raise UsageError(f"{function}(min_score => {score!r}): expected a number from 0 to 1")
    return Parts(
        segmenter_named(str(options.get("model", DEFAULT))),
        finder_named(str(options.get("finder", DEFAULT))),
        None if score is None else float(score),
    )


def versions_of(parts: Parts) -> str:
    """Changes whenever either part does."""
    return f"{parts.segmenter.version}+{parts.finder.version}-{CODE_REVISION}"
