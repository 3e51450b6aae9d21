"""Populations with known answers: the hostile and the ordinary, for the coverage lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Units with a value each, in table order.

    Attributes:
        values: (N,) what the oracle would say, in [low, high].
        sizes: (N,) rows a unit contributes (a cluster's size), at most `size_max`; ones when units are rows.
        proxy: (N,) a cheap score in [0, 1].
        cached: (N,) already known without asking, and not at random.
    """

    name: str
    values: Floats
    low: float
    high: float
    sizes: Floats = field(default_factory=lambda: np.zeros(0))
    size_max: float = 1.0
    proxy: Floats = field(default_factory=lambda: np.zeros(0))
    cached: npt.NDArray[np.bool_] | None = None

    @property
    def mean(self) -> float:
        return float(self.values.mean())


def rare(share: float, count: int = 20_000) -> Population:
    """0/1 with exactly round(share * count) ones."""
    values = np.zeros(count)
    values[: round(share * count)] = 1
    return Population(f"rare {share:.3%} of {count}", values, 0.0, 1.0)


def light(seed: int = 0, count: int = 5_000) -> Population:
    """A bounded, symmetric, well-behaved value."""
    return Population("light", np.random.default_rng(seed).beta(4, 4, count), 0.0, 1.0)


def heavy(seed: int = 0, count: int = 5_000) -> Population:
    """Log-normal, sigma 2: a few units hold much of the total."""
    values = np.random.default_rng(seed).lognormal(0, 2, count)
    return Population("heavy log-normal 2", values, 0.0, float(values.max()))


def spikes(count: int = 30_000, spacing: int = 3_000) -> Population:
    """One unit in `spacing` holds as much as all the others together: what a t interval never sees coming."""
    values = np.full(count, 1.0)
    values[::spacing] = spacing
    return Population(f"spikes 1 in {spacing}", values, 0.0, float(spacing))


def tiny(seed: int = 0, count: int = 12) -> Population:
    """Fewer units than any limit theorem likes."""
    return Population(f"tiny {count}", np.random.default_rng(seed).random(count) ** 3, 0.0, 1.0)


def people(seed: int = 0, count: int = 5_000) -> Population:
    """Counts a frame: mean 5.5, 0 to 20, independent frames."""
    values = np.clip(np.random.default_rng(seed).poisson(5.5, count), 0, 20).astype(np.float64)
    return Population("people a frame", values, 0.0, 20.0)


def video(seed: int = 0, count: int = 5_000, memory: float = 0.995) -> Population:
    """Counts a frame that drift: a Poisson draw round a first-order autoregression, clipped to 0..20."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, np.sqrt(1 - memory**2), count)
    level = np.empty(count)
    level[0] = rng.normal()
    for time in range(1, count):
        level[time] = memory * level[time - 1] + noise[time]
    values = np.clip(np.round(5.5 + 3 * level + rng.normal(0, 0.7, count)), 0, 20)
    return Population("video", values, 0.0, 20.0)


def periodic(count: int = 5_000, period: int = 50) -> Population:
    """A value that repeats: systematic samples with that period see one phase only."""
    return Population("periodic", (np.arange(count) % period == 0) * 1.0, 0.0, 1.0)


def clustered(seed: int = 0, count: int = 4_000, sigma: float = 1.5, size_max: float = 60.0) -> Population:
    """Units hold 0..size_max rows; the mean row of a unit goes with its size (facts S3)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=count)
    sizes = np.clip(np.ceil(np.exp(sigma * z)), 0, size_max) * (rng.random(count) < 0.8)
    row_mean = 1 / (1 + np.exp(-(0.9 * z + np.sqrt(1 - 0.81) * rng.normal(size=count))))
    return Population(f"clustered sigma {sigma}", sizes * row_mean, 0.0, size_max, sizes, size_max)


PROXIES = ("good", "medium", "random", "inverted", "constant", "over-confident")


def with_proxy(population: Population, kind: str, seed: int = 0) -> Population:
    """The population with a score of the named quality in [0, 1], one of `PROXIES`."""
    rng = np.random.default_rng(seed)
    truth = (population.values - population.low) / (population.high - population.low)
    noise = rng.random(truth.size)
    makers: dict[str, Callable[[], Floats]] = {
        "good": lambda: np.clip(0.9 * truth + 0.1 * noise, 0, 1),
        "medium": lambda: np.clip(0.5 * truth + 0.5 * noise, 0, 1),
        "random": lambda: noise,
        "inverted": lambda: 1 - truth,
        "constant": lambda: np.full(truth.size, 0.5),
        "over-confident": lambda: np.where(noise < 0.3, noise * 3, 0.98 + 0.02 * noise),
    }
    scores = makers[kind]()
    return Population(
        f"{population.name}, {kind} proxy", population.values, population.low, population.high, proxy=scores
    )


def with_cache(population: Population, share: float = 0.1) -> Population:
    """The largest values are already known: a warm cache as far from a random sample as can be."""
    cached = np.zeros(population.values.size, dtype=bool)
    cached[np.argsort(population.values)[-round(share * cached.size) :]] = True
    return Population(
        f"{population.name}, biased cache", population.values, population.low, population.high, cached=cached
    )


def ordinary() -> list[Population]:
    """One of each, for mean-like procedures."""
    means = [rare(0.5, 2000), rare(0.02, 6000), rare(0.002, 6000), light(0, 2000), heavy(0, 3000), spikes(9000)]
    return [*means, tiny(), people(0, 3000), video(0, 3000), periodic(3000)]
