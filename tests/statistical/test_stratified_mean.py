"""Strata of any kind, adaptive allocation, certainty strata: the interval holds after every round at once."""

import numpy as np
import pytest
from levels import LEVELS

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.lab import coverage
from suffice.estimate.populations import heavy, periodic, rare, spikes, video, with_cache
from suffice.estimate.relative import is_within
from suffice.estimate.stratified_mean import StratifiedMean
from suffice.estimate.time_strata import time_strata

CACHED = with_cache(heavy(0, 3000))


class Stratified:
    """Rounds of Neyman's allocation until 10 % or 20 rounds; `held` is whether no look failed."""

    def __init__(self, population, labels, rng, confidence, per_stratum=False, target=0.1):
        cached = population.cached if population.cached is not None else np.zeros(population.values.size, dtype=bool)
        parts = [rng.permutation(population.values[(labels == h) & ~cached]) for h in range(labels.max() + 1)]
        low = [part.min() if per_stratum else population.low for part in parts]
        high = [part.max() if per_stratum else population.high for part in parts]
        sizes = [part.size for part in parts]
        mean = StratifiedMean(sizes, low, high, confidence, Aim(relative=target), known=population.values[cached])
        self.held = True
        for _ in range(20 if target == 0.1 else 200):
            counts = mean.allocate(max(2 * len(parts), int(mean.seen.sum() * target * 2)))
            assert (counts >= np.minimum(mean.remaining, 1)).all() and (counts <= mean.remaining).all()
            drawn = [part[s : s + c] for part, s, c in zip(parts, mean.seen, counts, strict=True)]
            mean.observe(drawn)
            self.interval = mean.interval()
            self.n = self.interval.n
            self.held &= self.interval.low - 1e-9 <= population.mean <= self.interval.high + 1e-9
            if is_within(self.interval, target) or not mean.remaining.any():
                break


@pytest.mark.parametrize(
    "population",
    [rare(0.5, 2000), rare(0.02, 6000), heavy(0, 3000), spikes(9000), video(0, 3000), periodic(3000), CACHED],
    ids=lambda p: p.name,
)  # fmt: skip
@pytest.mark.parametrize("layout", ["time", "value", "one", "zone-map ranges"])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_holds_at_all_rounds(population, layout: str, confidence: float, runs: int) -> None:
    size = population.values.size
    labels = {
        "time": time_strata(size, 10),
        "value": np.argsort(np.argsort(population.values, kind="stable")) * 8 // size,
        "one": np.zeros(size, dtype=np.int64),
        "zone-map ranges": time_strata(size, 10),
    }[layout]

    def procedure(p, rng):
        return Stratified(p, labels, rng, confidence, per_stratum=layout == "zone-map ranges")

    cell = coverage(procedure, population, runs, 3, held=lambda _, r: r.held, nominal=confidence)
    assert cell.passed, cell


def test_time_strata_narrow_a_video() -> None:
    """On autocorrelated frames, strata in time need fewer frames than none, for the same guarantee."""
    population = video(1, 20_000)

    def calls(strata: int, seed: int) -> int:
        labels = time_strata(20_000, strata)
        return Stratified(population, labels, np.random.default_rng(seed), 0.95, target=0.02).n

    none, many = (np.mean([calls(strata, seed) for seed in range(5)]) for strata in (1, 40))
    assert many < 0.85 * none, (many, none)


def test_a_round_needs_every_stratum() -> None:
    mean = StratifiedMean([5, 5], 0, 1, 0.95)
    with pytest.raises(UsageError, match="1 to 5 values"):
        mean.observe([[0.5], []])
    with pytest.raises(UsageError, match="range"):
        mean.observe([[0.5], [1.5]])
    mean.observe([[0.5] * 5, [0.25] * 5])
    assert mean.interval().low == mean.interval().high == pytest.approx(0.375)
    assert mean.interval().tier == "exact"
