"""How much each update counts: ``weighting(updates, staleness) -> (coefficient [K], denominator [K])``."""

from collections.abc import Callable

from suffice.federated.aggregate.weightings.by_samples import by_samples
from suffice.federated.aggregate.weightings.by_staleness import by_staleness
from suffice.federated.aggregate.weightings.fair import fair
from suffice.federated.aggregate.weightings.uniform import uniform
from suffice.federated.arrays import Floats
from suffice.federated.updates import Updates

Weighting = Callable[[Updates, Floats], tuple[Floats, Floats]]

__all__ = ["Weighting", "by_samples", "by_staleness", "fair", "uniform"]
