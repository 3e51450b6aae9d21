"""What an answer took: counted, not estimated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from suffice.store.results import Call


@dataclass
class ModelWork:
    """Inputs of one model in one answer.

    Attributes:
        done: computed now, and paid for.
        cached: taken from the store.
        skipped: inputs a full run would have computed and this answer did not need.
        failed: inputs the model or the medium failed on; they are rows of ``problems``.
        seconds: wall time of the computing.
        price: what `done` cost, in the provider's currency.
    """

    done: int = 0
    cached: int = 0
    skipped: int = 0
    failed: int = 0
    seconds: float = 0.0
    price: float = 0.0

    @property
    def total(self) -> int:
        return self.done + self.cached + self.skipped + self.failed


@dataclass
class Work:
    """Rows, bytes, model calls and seconds by stage.

    Attributes:
        rows_read: input rows handed to models, and rows of tables that an estimate looked at. What DuckDB scans for an
            exact answer is not counted.
        bytes_read: of media files, to see what is in them and to decode them; of tables, where an estimate reads them.
        hits: kept results that were of use, by call.
        computed, found: results of each call, by its id: made in this answer, and kept from before it.
        is_streamed: whether answers on the way to the last one are wanted.
    """

    model_calls: dict[str, ModelWork] = field(default_factory=dict)
    rows_read: int = 0
    bytes_read: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    hits: list[tuple[Call, int]] = field(default_factory=list)
    computed: dict[int, int] = field(default_factory=dict)
    found: dict[int, int] = field(default_factory=dict)
    is_streamed: bool = False

    def of(self, model: str) -> ModelWork:
        return self.model_calls.setdefault(model, ModelWork())

    def spend(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def as_json(self) -> dict[str, Any]:
        calls = {
            name: {"done": m.done, "cached": m.cached, "skipped": m.skipped, "failed": m.failed}
            for name, m in self.model_calls.items()
        }
        seconds = {stage: round(value, 6) for stage, value in self.seconds.items()}
        return {
            "model_calls": calls,
            "rows_read": self.rows_read,
            "bytes_read": self.bytes_read,
            "seconds": round(sum(self.seconds.values()), 6),
            "stages": seconds,
        }

    def __str__(self) -> str:
        parts = []
        for name, m in self.model_calls.items():
            failed = f", {m.failed:,} failed" if m.failed else ""
            parts.append(f"{name}: {m.done:,} done, {m.cached:,} cached, {m.skipped:,} skipped{failed}")
        parts.append(f"{sum(self.seconds.values()):.2f} s")
        return " · ".join(parts)
