"""RECALL and PRECISION targets: how often each is met and what it asks, ours beside SUPG's and LOTUS's rules.

    python bench/selection.py [--runs N]

The same scores and labels for all three. SUPG's side is the recall rule of its paper (VLDB 2020: importance weights
0.9 sqrt(score) + 0.1 uniform, draws with replacement, normal-theory bounds with sqrt(2 ln 2/delta)), re-implemented:
the package of that name on PyPI (0.0.1) holds no code. LOTUS's side is its released cascade itself: the wheel of
`lotus-ai` is fetched by pip, and its `cascade_utils.py` (importance sampling, thresholds) runs with both targets, its
sampling range opened to all rows (as shipped, samples come from the first 200 only). Only the statistics are compared,
not the engines.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from suffice.estimate.select_by_score import select_by_score

RESULTS = Path(__file__).parent / "results" / "selection.json"
SIZE, BUDGET, OURS, CONFIDENCE = 20_000, 1_000, 900, 0.8
"""SUPG's 1,000 draws with replacement are 925 to 975 calls; ours get 900."""

LOTUS = "1.2.4"

Floats = np.ndarray
Found = tuple[np.ndarray, int]
"""(units returned, oracle calls)"""


def populations() -> dict[str, tuple[Floats, Floats]]:
    """Name to (scores, labels): what is right is likelier at high scores, except where a proxy lies."""
    rng = np.random.default_rng(0)
    score = rng.beta(0.5, 2, SIZE)
    rare = rng.beta(0.2, 6, SIZE)
    tenth, twentieth, few = (rng.random(SIZE) < share for share in (0.1, 0.05, 0.005))
    seen = twentieth & (rng.random(SIZE) > 0.12)
    lying = np.where(rng.random(SIZE) < 0.3, rng.random(SIZE), 0.98 + 0.02 * rng.random(SIZE))
    return {
        "calibrated": (score, (rng.random(SIZE) < score) * 1.0),
        "over-confident": (score, (rng.random(SIZE) < 0.85 * score + 0.02) * 1.0),
        "rare, good": (rare, (rng.random(SIZE) < rare**0.7) * 1.0),
        "useless": (rng.random(SIZE), (rng.random(SIZE) < 0.1) * 1.0),
        "saturated": (lying, (rng.random(SIZE) < 0.2) * 1.0),
        "blind to an eighth": (np.where(seen, rng.beta(8, 2, SIZE), rng.beta(0.5, 60, SIZE)), twentieth * 1.0),
        "a hundred right": (np.where(few, rng.beta(4, 2, SIZE), rng.beta(1, 20, SIZE)), few * 1.0),
        "separated": (np.where(tenth, rng.beta(8, 2, SIZE), rng.beta(2, 8, SIZE)), tenth * 1.0),
        "far apart": (np.where(tenth, rng.beta(20, 2, SIZE), rng.beta(2, 20, SIZE)), tenth * 1.0),
    }


def ours(
    scores: Floats, labels: Floats, rng: np.random.Generator, *, recall: float | None, precision: float | None
) -> Found:
    found = select_by_score(
        scores, lambda units: labels[units], CONFIDENCE, OURS, rng, recall=recall, precision=precision
    )
    return found.returned(scores), found.n


def supg_recall(scores: Floats, labels: Floats, rng: np.random.Generator, target: float) -> Found:
    """SUPG's importance-sampled recall threshold at delta = 1 - CONFIDENCE."""
    weights = 0.9 * np.sqrt(scores) / np.sqrt(scores).sum() + 0.1 / SIZE
    drawn = rng.choice(SIZE, BUDGET, p=weights / weights.sum())
    mass = labels[drawn] / (SIZE * weights[drawn])
    order = np.argsort(-scores[drawn])
    share = np.cumsum(mass[order]) / max(mass.sum(), 1e-12)
    at = scores[drawn][order][min(int(np.searchsorted(share, target)), BUDGET - 1)]
    above, below = mass * (scores[drawn] >= at), mass * (scores[drawn] < at)
    spread = math.sqrt(2 * math.log(2 / (1 - CONFIDENCE)) / BUDGET)
    high, low = above.mean() + above.std() * spread, max(below.mean() - below.std() * spread, 0.0)
    inflated = min(high / max(high + low, 1e-12), 1.0)
    tau = scores[drawn][order][min(int(np.searchsorted(share, inflated)), BUDGET - 1)]
    chosen = scores >= tau
    chosen[drawn] = labels[drawn] > 0
    return np.flatnonzero(chosen), np.unique(drawn).size


def lotus_cascade(folder: Path) -> ModuleType:
    """LOTUS's own `cascade_utils`, without the rest of its package."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), f"lotus-ai=={LOTUS}"]
    subprocess.run(pip, check=True)
    package, types = ModuleType("lotus"), ModuleType("lotus.types")
    package.logger, types.CascadeArgs = logging.getLogger("lotus"), SimpleNamespace  # type: ignore[attr-defined]
    sys.modules.update({"lotus": package, "lotus.types": types})
    module = ModuleType("cascade_utils")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        exec(compile(wheel.read("lotus/sem_ops/cascade_utils.py"), "cascade_utils.py", "exec"), module.__dict__)
    return module


def lotus(cascade: ModuleType, scores: Floats, labels: Floats, rng: np.random.Generator, target: float) -> Found:
    """Both targets: sample, thresholds, and the oracle for what lies between them."""
    args = SimpleNamespace(
        recall_target=target, precision_target=target, failure_probability=1 - CONFIDENCE,
        sampling_percentage=BUDGET / SIZE, cascade_IS_weight=0.9, cascade_IS_max_sample_range=SIZE,
        cascade_IS_random_seed=int(rng.integers(1 << 31)),
    )  # fmt: skip
    drawn, factors = cascade.importance_sampling(scores.tolist(), args)
    (accept, reject), _ = cascade.learn_cascade_thresholds(
        scores[drawn].tolist(), (labels[drawn] > 0).tolist(), factors[drawn], args
    )
    asked = np.union1d(drawn, np.flatnonzero((scores < accept) & (scores > reject)))
    chosen = scores >= accept
    chosen[asked] = labels[asked] > 0
    return np.flatnonzero(chosen), asked.size


def ours_both(scores: Floats, labels: Floats, rng: np.random.Generator, target: float) -> Found:
    """The same of ours."""
    found = select_by_score(
        scores, lambda units: labels[units], CONFIDENCE, SIZE, rng, recall=target, precision=target, asks_rest=True
    )
    asked = np.union1d(found.labelled, found.between(scores))
    chosen = scores >= found.accept_above
    chosen[asked] = labels[asked] > 0
    return np.flatnonzero(chosen), asked.size


def measured(
    name: str,
    who: str,
    goal: str,
    target: float,
    runs: int,
    run: Callable[[np.random.Generator], Found],
    labels: Floats,
) -> dict[str, Any]:
    right, sizes, calls, met = labels.sum(), [], [], []
    for child in np.random.SeedSequence(1).spawn(runs):
        returned, asked = run(np.random.default_rng(child))
        hits = labels[returned].sum()
        recall, precision = hits / right, hits / returned.size if returned.size else 1.0
        met.append({"recall": recall, "precision": precision, "both": min(recall, precision)}[goal] >= target)
        sizes.append(returned.size)
        calls.append(asked)
    row = {
        "population": name, "goal": goal, "target": target, "who": who, "met": float(np.mean(met)),
        "promised": CONFIDENCE, "calls": float(np.mean(calls)), "returned": float(np.mean(sizes)),
        "right": float(right), "runs": runs,
    }  # fmt: skip
    print({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()}, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    runs, rows = parser.parse_args().runs, []
    with tempfile.TemporaryDirectory() as folder:
        cascade = lotus_cascade(Path(folder))
    for name, (scores, labels) in populations().items():
        for who, goal, run in (
            ("ours", "recall", lambda g, s=scores, y=labels: ours(s, y, g, recall=0.9, precision=None)),
            ("SUPG", "recall", lambda g, s=scores, y=labels: supg_recall(s, y, g, 0.9)),
            ("ours", "precision", lambda g, s=scores, y=labels: ours(s, y, g, recall=None, precision=0.9)),
            ("ours", "both", lambda g, s=scores, y=labels: ours_both(s, y, g, 0.9)),
            ("LOTUS", "both", lambda g, s=scores, y=labels: lotus(cascade, s, y, g, 0.9)),
        ):
            rows.append(measured(name, who, goal, 0.9, runs, run, labels))
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
