"""Ranks, unseen groups, distinct counts, closed-form Bernstein and Student, each against truth."""

import numpy as np
import pytest
from levels import LEVELS

from suffice.estimate.bernstein import bernstein_half_width
from suffice.estimate.distinct import distinct_interval
from suffice.estimate.interval import Interval
from suffice.estimate.lab import coverage
from suffice.estimate.populations import clustered, heavy, light, people, rare, spikes, tiny
from suffice.estimate.quantile import distribution_band, quantile_interval, units_beyond
from suffice.estimate.student import student_mean, student_ratio
from suffice.estimate.unseen import largest_missed_group, unseen_rows


@pytest.mark.parametrize("population", [light(0, 1000), heavy(0, 1000), people(0, 1000), tiny()], ids=lambda p: p.name)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_quantile_holds(population, share: float, known: bool, confidence: float, runs: int) -> None:
    size = population.values.size
    truth = np.sort(population.values)[int(np.ceil(share * size - 1e-9)) - 1]

    def procedure(p, rng):
        sample = rng.choice(p.values, min(150, size - 2), replace=not known)
        return quantile_interval(sample, share, size if known else None, confidence)

    cell = coverage(procedure, population, 5 * runs, 13, held=lambda _, r: truth in r, nominal=confidence)
    assert cell.passed, cell


@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_distribution_band_holds(confidence: float, runs: int) -> None:
    def procedure(n, rng):
        x = np.sort(rng.random(n))
        gap = max(np.abs(np.arange(1, n + 1) / n - x).max(), np.abs(np.arange(n) / n - x).max())
        return Interval(0, 0, gap, confidence, "band", "finite-sample", (), n, None)

    held = coverage(
        procedure, 50, 5 * runs, 14, held=lambda n, r: r.high <= distribution_band(n, confidence), nominal=confidence
    )
    assert held.passed, held


@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_units_beyond_the_sample_maximum(confidence: float, runs: int) -> None:
    most = units_beyond(100, 5000, confidence)

    def procedure(_, rng):
        beyond = 5000 - 1 - rng.permutation(5000)[:100].max()
        return Interval(0, 0, beyond, confidence, "max", "finite-sample", (), 100, 5000)

    cell = coverage(procedure, "ranks", 5 * runs, 15, held=lambda _, r: r.high <= most, nominal=confidence)
    assert cell.passed, cell


GROUPS = {
    "equal": np.repeat(np.arange(500), 10),
    "zipf": np.repeat(np.arange(800), np.maximum(1, 3000 // (np.arange(800) + 1) ** 1.2).astype(int)),
    "all different": np.arange(4000),
    "one": np.zeros(3000, dtype=int),
}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_unseen_groups(name: str, confidence: float, runs: int) -> None:
    """Rows of groups not met, the number of distinct keys, and the largest group missed: each held, 400 rows seen."""
    keys = GROUPS[name]
    sizes = np.bincount(keys)
    largest = largest_missed_group(400, keys.size, confidence)

    def sample(rng):
        return rng.permutation(keys)[:400].tolist()

    def rows(_, rng):
        seen = sample(rng)
        missed = sizes.sum() - sizes[np.unique(seen)].sum()
        return Interval(
            missed, 0, unseen_rows(seen, keys.size, confidence), confidence, "", "finite-sample", (), 400, None
        )

    def biggest(_, rng):
        unmet = np.setdiff1d(np.arange(sizes.size), sample(rng))
        return Interval(sizes[unmet].max(initial=0), 0, largest, confidence, "", "finite-sample", (), 400, None)

    def distinct(_, rng):
        return distinct_interval(sample(rng), keys.size, confidence)

    def inside(_, r):
        return r.estimate in r

    for procedure, held in ((rows, inside), (biggest, inside), (distinct, lambda _, r: np.unique(keys).size in r)):
        cell = coverage(procedure, name, runs, 16, held=held, nominal=confidence)
        assert cell.passed, cell


@pytest.mark.parametrize("population", [light(0, 2000), rare(0.02, 5000), spikes(9000), tiny()], ids=lambda p: p.name)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("confidence", "runs"), LEVELS)
def test_closed_form_bernstein_holds(population, known: bool, confidence: float, runs: int) -> None:
    size, scale = population.values.size, population.high - population.low

    def procedure(p, rng):
        x = rng.choice(p.values, min(300, size - 2), replace=not known)
        deviation = x.std(ddof=0 if known else 1)
        half = float(bernstein_half_width(x.size, deviation, scale, 1 - confidence, size if known else None))
        return Interval(x.mean(), x.mean() - half, x.mean() + half, confidence, "", "finite-sample", (), x.size, None)

    cell = coverage(procedure, population, 5 * runs, 17, held=lambda p, r: p.mean in r, nominal=confidence)
    assert cell.passed, cell


def test_student_is_labelled_and_deserves_it() -> None:
    """About right on light tails and on clusters, far from it on spikes: why it never passes for a guarantee."""

    def mean(p, rng):
        return student_mean(rng.permutation(p.values)[:300], p.values.size, 0.9)

    def ratio(p, rng):
        units = rng.permutation(p.values.size)[:400]
        return student_ratio(p.values[units], p.sizes[units], p.values.size, 0.9)

    fine = coverage(mean, light(0, 2000), 400, 18, held=lambda p, r: p.mean in r, nominal=0.9)
    rows = coverage(ratio, clustered(), 400, 19, held=lambda p, r: p.values.sum() / p.sizes.sum() in r, nominal=0.9)
    broken = coverage(mean, spikes(), 100, 20, held=lambda p, r: p.mean in r, nominal=0.9)
    assert fine.passed and rows.observed > 0.85, (fine, rows)
    assert broken.observed < 0.3 and not broken.passed, broken
    assert mean(light(0, 2000), np.random.default_rng(0)).tier == "asymptotic"
    assert student_mean(tiny().values, 12, 0.9).tier == "exact"
