"""The coverage lab: does a promise hold as often as it says?

Runs a procedure on a population whose answer is known, over many seeds, and counts. The rule by which it fails: fewer
successes than all but one in ten thousand honest procedures would show (an exact binomial quantile), so a table of
hundreds of cells stays green by chance and a broken bound turns red.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np


class Outcome(Protocol):
    """What a procedure returns: an Interval, a Certificate, or anything that says how many units it looked at."""

    @property
    def n(self) -> int: ...


P = TypeVar("P")
R = TypeVar("R", bound=Outcome)


@dataclass(frozen=True)
class CoverageCell:
    """One procedure on one population: `observed` is the share of `runs` in which the promise held."""

    procedure: str
    population: str
    nominal: float
    observed: float
    runs: int
    tolerance: float
    mean_n: float

    @property
    def passed(self) -> bool:
        return self.observed >= self.nominal - self.tolerance


def coverage(
    procedure: Callable[[P, np.random.Generator], R],
    population: P,
    runs: int,
    seed: int,
    *,
    held: Callable[[P, R], bool],
    nominal: float,
    name: str | None = None,
) -> CoverageCell:
    """Run `procedure` with `runs` independent generators made from `seed`; `held` says whether it kept its word."""
    generators = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(runs)]
    results = [procedure(population, generator) for generator in generators]
    return CoverageCell(
        procedure=name or str(getattr(procedure, "__name__", procedure)),
        population=str(getattr(population, "name", population)),
        nominal=nominal,
        observed=float(np.mean([held(population, result) for result in results])),
        runs=runs,
        tolerance=tolerance(nominal, runs),
        mean_n=float(np.mean([result.n for result in results])),
    )


def tolerance(nominal: float, runs: int, false_alarm: float = 1e-4) -> float:
    """How far below `nominal` an honest procedure's observed share stays with probability 1 - `false_alarm`."""
    from scipy.stats import binom

    return max(0.0, nominal - float(binom.ppf(false_alarm, runs, nominal)) / runs)
