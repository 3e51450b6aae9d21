"""Quantiles of rows in clusters hold at every look: ties, rows that go together, heavy tails, lying proxies."""

import numpy as np
import pytest
from levels import LEVELS

from suffice.estimate.aim import Aim
from suffice.estimate.bounded_quantile import BoundedQuantile, Ranks, value_grid
from suffice.estimate.lab import coverage
from suffice.estimate.linear_totals import LinearTotals
from suffice.estimate.populations import Population
from suffice.estimate.relative import relative_half_width

CLUSTERS, ROWS = 500, 6


def rows_of(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of all rows, and the cluster each is in."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(0, ROWS + 1, CLUSTERS)
    cluster = np.repeat(np.arange(CLUSTERS), sizes)
    level = rng.lognormal(0, 1, CLUSTERS)[cluster]
    values = {
        "alike in a cluster": level,
        "heavy": rng.lognormal(0, 2, cluster.size),
        "two values": (rng.random(cluster.size) < 0.53) + 1.0,
        "a few whole numbers": np.round(level * 2),
        "drifting": 5 + np.sin(cluster / 60) + 0.1 * rng.normal(size=cluster.size),
    }
    return values[kind], cluster


class Watched:
    """Draws to 5 % and looks after every round: `held` only if every interval ever shown did, for both kinds."""

    def __init__(self, kind: str, share: float, proxy: str, rng: np.random.Generator, confidence: float) -> None:
        values, cluster = rows_of(kind)
        truths = [float(np.quantile(values, share, method=m)) for m in ("inverted_cdf", "linear")]
        grid = value_grid(truths[0] * float(np.exp(rng.normal(0, 0.1))), 0.05, -np.inf, np.inf)
        counts = [np.bincount(cluster, minlength=CLUSTERS)]
        counts += [np.bincount(cluster, values < t, CLUSTERS) for t in grid]
        counts += [np.bincount(cluster, values <= t, CLUSTERS) for t in grid]
        pieces = np.stack(counts).astype(float)
        scores = {"none": np.zeros(CLUSTERS), "inverted": -pieces[len(grid) // 2], "random": rng.random(CLUSTERS)}[
            proxy
        ]
        totals = LinearTotals(
            np.zeros(len(pieces)), np.full(len(pieces), float(ROWS)), scores, rng, Aim(relative=0.05), ordered=True
        )
        eye = np.eye(len(pieces))
        ranks = Ranks(share, eye[0], eye[1 : 1 + len(grid)], eye[1 + len(grid) :], grid, (-np.inf, np.inf), ROWS)
        bounded = BoundedQuantile(totals, ranks, 1 - confidence)
        self.held, width = True, np.inf
        while width > 0.05 and not totals.complete:
            units = totals.draw(max(16, totals.n // 8), bounded.family, bounded.focus)
            totals.observe(pieces[:, units])
            low, high = bounded.bounds()
            self.held &= all(low <= truth <= high for truth in truths)
            width = relative_half_width(low, high)
        self.n = totals.n


@pytest.mark.parametrize("kind", ["alike in a cluster", "heavy", "two values", "a few whole numbers", "drifting"])
@pytest.mark.parametrize(("share", "proxy"), [(0.5, "none"), (0.9, "inverted"), (0.25, "random")])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_quantiles_hold_at_every_look(kind: str, share: float, proxy: str, confidence: float, runs: int) -> None:
    cell = coverage(
        lambda p, rng: Watched(kind, share, proxy, rng, confidence),
        Population(kind, np.zeros(1), 0, 1), max(runs // 16, 4), 7, held=lambda _, r: r.held, nominal=confidence,
    )  # fmt: skip
    assert cell.passed, cell


def test_a_quantile_is_found_from_part_of_the_clusters() -> None:
    taken = [Watched("drifting", 0.5, "none", np.random.default_rng(s), 0.95).n for s in range(3)]
    assert np.mean(taken) < 0.5 * CLUSTERS, taken
