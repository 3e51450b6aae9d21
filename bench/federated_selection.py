"""Virtual time to a target accuracy: Oort and FedBuff against random selection, in four regimes.

    python bench/federated_selection.py [SEEDS]

Regimes: clients that agree (Synthetic(0, 0)) or not (Synthetic(1, 1)); devices whose speed has nothing to do with how
much data they hold, or of which those with much data are slow; and one more, a tenth of whose clients have random
labels. The target is 97% of the best accuracy that random selection reaches with that seed; its run is the horizon for
all. Figures are geometric means of (virtual seconds of random) / (virtual seconds of the other) with 95% t-intervals
over the seeds; above 1 the other is faster. A run that does not reach the target within the horizon counts as if it had
at its end: such a ratio is below 1, and still flatters; how many there were is in `missed`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from report import RESULTS, save
from scipy import stats

from suffice.federated import FederatedConfig, Report, simulate
from suffice.federated.simulation import parts
from suffice.federated.tasks import ClientData, SyntheticTask
from suffice.federated.traces import Traces, synthetic_traces

CLIENTS, REPORTS, ROUNDS = 400, 20, 25
# Forward FLOPs of the model itself: a sample then takes as many milliseconds as the trace says.
MODEL_FLOPS = 2.0 * 60 * 10
WAYS = {
    "random": {},
    # Its rounds are shorter, so it takes more of them to fill the same virtual time.
    "oort": {"sample_mode": "oort", "rounds": 2 * ROUNDS},
    # The few clients of each version that come in together are not worth vectorising.
    "fedbuff": {"mode": "async", "num_participants": 10, "max_concurrency": 26, "rounds": 2 * ROUNDS, "method": "loop"},
}
REGIMES = {
    "differ, speed unrelated": (1.0, False, 0.0),
    "differ, much data is slow": (1.0, True, 0.0),
    "agree, speed unrelated": (0.0, False, 0.0),
    "agree, much data is slow": (0.0, True, 0.0),
    "differ, a tenth has random labels": (1.0, False, 0.1),
}


class NoisyTask(SyntheticTask):
    """A share of the clients has labels drawn at random."""

    noisy = 0.0

    def gather(self, clients: Any, split: Any = "train") -> ClientData:
        data = super().gather(clients, split)
        if split == "train" and self.noisy:
            owner = np.repeat(clients, data.sizes)
            broken = owner % round(1 / self.noisy) == 0
            data.y[broken] = (data.y[broken] * 7 + np.arange(broken.sum())) % 10
        return data


def run(way: str, regime: str, seed: int) -> Report:
    unlike, related, noisy = REGIMES[regime]
    config = FederatedConfig(
        clients=CLIENTS,
        num_participants=REPORTS,
        rounds=ROUNDS,
        seed=seed,
        learning_rate=0.05,
        local_steps=10,
        reference_flops=MODEL_FLOPS,
        method="vmap",
    )
    task = NoisyTask(CLIENTS, alpha=unlike, beta=unlike, seed=seed)
    task.noisy = noisy
    parts.make_traces = lambda config, clients: _traces(clients, seed, task.samples if related else None)
    return simulate(dataclasses.replace(config, **WAYS[way]), task=task)


def _traces(clients: int, seed: int, samples: np.ndarray | None) -> Traces:
    traces = synthetic_traces(clients, seed=seed)
    if samples is None:
        return traces
    slow_last = np.sort(traces.ms_per_sample)
    return dataclasses.replace(traces, ms_per_sample=slow_last[np.argsort(np.argsort(samples))])


def compare(regime: str, seeds: int) -> list[dict[str, Any]]:
    reports = [{way: run(way, regime, seed) for way in WAYS} for seed in range(seeds)]
    if regime == next(iter(REGIMES)):
        keep_curves(regime, reports[0])
    targets = [0.97 * max(r.accuracy for r in one["random"].rounds) for one in reports]
    return [_row(regime, way, reports, targets) for way in WAYS if way != "random"]


def _row(regime: str, way: str, reports: list[dict[str, Report]], targets: list[float]) -> dict[str, Any]:
    pairs = [(one["random"], one[way], target) for one, target in zip(reports, targets, strict=True)]
    horizons = [random.rounds[-1].virtual_s for random, _, _ in pairs]
    reached = [other.time_to_accuracy_s(target) for _, other, target in pairs]
    logs = [
        np.log(random.time_to_accuracy_s(target) / min(at_s, horizon_s))
        for (random, _, target), at_s, horizon_s in zip(pairs, reached, horizons, strict=True)
    ]
    half = stats.t.ppf(0.975, len(logs) - 1) * np.std(logs, ddof=1) / len(logs) ** 0.5
    return {
        "regime": regime,
        "way": way,
        "times_faster_than_random": float(np.exp(np.mean(logs))),
        "low": float(np.exp(np.mean(logs) - half)),
        "high": float(np.exp(np.mean(logs) + half)),
        "seeds": len(logs),
        "missed": sum(at_s > horizon_s for at_s, horizon_s in zip(reached, horizons, strict=True)),
        "target": float(np.mean(targets)),
        "best_accuracy": float(np.mean([max(r.accuracy for r in other.rounds) for _, other, _ in pairs])),
        "best_accuracy_random": float(np.mean([max(r.accuracy for r in random.rounds) for random, _, _ in pairs])),
    }


def keep_curves(regime: str, reports: dict[str, Report]) -> None:
    """The curves of one seed, for the picture."""
    curves = {way: [[r.virtual_s / 3600, r.accuracy] for r in report.rounds] for way, report in reports.items()}
    (RESULTS / "federated_curves.json").write_text(json.dumps({"regime": regime, "curves": curves}) + "\n")


def measure(seeds: int) -> Iterator[dict[str, Any]]:
    """Rows, regime by regime."""
    for regime in REGIMES:
        yield from compare(regime, seeds)


if __name__ == "__main__":
    save("federated_selection", list(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
