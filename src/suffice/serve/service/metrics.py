"""Counts of the model service, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class ModelMetrics:
    """What one model did; `latency` counts requests up to each bucket's bound."""

    inputs: int = 0
    batches: int = 0
    failed: int = 0
    refused: int = 0
    busy_s: float = 0.0
    requests: int = 0
    request_s: float = 0.0
    latency: list[int] = field(default_factory=lambda: [0] * len(_BUCKETS_S))

    def ran(self, inputs: int, seconds: float) -> None:
        """A batch was run."""
        self.inputs += inputs
        self.batches += 1
        self.busy_s += seconds

    def answered(self, seconds: float, failed: int) -> None:
        """A request was answered, `failed` of its inputs with an error."""
        self.requests += 1
        self.request_s += seconds
        self.failed += failed
        for i, bound in enumerate(_BUCKETS_S):
            self.latency[i] += seconds <= bound

    @property
    def seconds_per_input(self) -> float:
        """What one input took so far; a guess before the first."""
        return self.busy_s / self.inputs if self.inputs else 0.1


_COUNTERS = {
    "inputs": ("inputs", "Inputs the model ran on"),
    "batches": ("batches", "Batches they came in"),
    "failed": ("failed", "Inputs that failed"),
    "refused": ("refused", "Inputs refused because the queue was full"),
    "busy_s": ("busy_seconds", "Seconds the model was busy"),
}


def exposition(metrics: Mapping[str, ModelMetrics], waiting: Mapping[str, int]) -> str:
    """All counts, as ``GET /metrics`` gives them."""
    lines: list[str] = []
    for name, (word, text) in _COUNTERS.items():
        values = {model: getattr(one, name) for model, one in metrics.items()}
        lines += _family(f"suffice_model_{word}_total", "counter", text, values)
    lines += _family("suffice_model_waiting", "gauge", "Inputs that are queued or running", waiting)
    lines += ["# HELP suffice_request_seconds Time of a request.", "# TYPE suffice_request_seconds histogram"]
    for model, one in metrics.items():
        lines += _histogram(model, one)
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str, values: Mapping[str, float]) -> list[str]:
    samples = [f'{name}{{model="{model}"}} {value}' for model, value in values.items()]
    return [f"# HELP {name} {text}.", f"# TYPE {name} {kind}", *samples]


def _histogram(model: str, one: ModelMetrics) -> list[str]:
    bounds = zip((*map(str, _BUCKETS_S), "+Inf"), (*one.latency, one.requests), strict=True)
    return [
        *(f'suffice_request_seconds_bucket{{model="{model}",le="{bound}"}} {count}' for bound, count in bounds),
        f'suffice_request_seconds_sum{{model="{model}"}} {one.request_s}',
        f'suffice_request_seconds_count{{model="{model}"}} {one.requests}',
    ]
