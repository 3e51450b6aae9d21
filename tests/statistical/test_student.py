"""Student's intervals, against truth."""

import numpy as np

from suffice.estimate.lab import coverage
from suffice.estimate.populations import clustered, light, spikes, tiny
from suffice.estimate.student import student_mean, student_ratio


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
