"""Who takes part in a round. Every selector returns exactly ``min(count, len(online))`` of the clients online."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from suffice.errors import UsageError, nearest
from suffice.federated.arrays import Floats, Ints
from suffice.federated.selectors.clustered import ClusteredSelector
from suffice.federated.selectors.least_available import LeastAvailableSelector
from suffice.federated.selectors.oort import FEDSCALE, PAPER, OortSelector
from suffice.federated.selectors.power_of_choice import PowerOfChoiceSelector
from suffice.federated.selectors.protocol import Feedback, Moment, Selector
from suffice.federated.selectors.uniform import UniformSelector
from suffice.federated.traces import Traces

__all__ = [
    "ClusteredSelector",
    "Feedback",
    "LeastAvailableSelector",
    "Moment",
    "OortSelector",
    "Population",
    "PowerOfChoiceSelector",
    "Selector",
    "UniformSelector",
    "make_selector",
]


@dataclass(frozen=True)
class Population:
    """What the server knows of its clients before the first round.

    `samples` ``[N]``, `duration_prior_s` ``[N]`` (seconds a round is expected to take), `cluster_of` ``[N]``.
    """

    samples: Ints
    duration_prior_s: Floats
    cluster_of: Ints
    traces: Traces


_SELECTORS: dict[str, Callable[[Population], Selector]] = {
    "random": lambda population: UniformSelector(),
    "oort": lambda population: OortSelector(population.duration_prior_s, PAPER),
    "oort_fedscale": lambda population: OortSelector(population.duration_prior_s, FEDSCALE),
    "power_of_choice": lambda population: PowerOfChoiceSelector(population.samples),
    "least_available": lambda population: LeastAvailableSelector(population.traces),
    "clustered": lambda population: ClusteredSelector(population.cluster_of, population.samples),
}


def make_selector(name: str, population: Population) -> Selector:
    """The selector called `name`; raises :class:`UsageError` with the nearest known name."""
    if name not in _SELECTORS:
        raise UsageError(f"sample_mode {name!r} is not a selector{nearest(name, _SELECTORS)}: {', '.join(_SELECTORS)}")
    return _SELECTORS[name](population)
