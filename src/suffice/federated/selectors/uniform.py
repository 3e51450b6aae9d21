"""Every client online is as likely as any other."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Ints, State
from suffice.federated.selectors.protocol import Feedback, Moment


class UniformSelector:
    """Simple random sampling without replacement."""

    def select(self, online: Ints, count: int, moment: Moment, rng: np.random.Generator) -> Ints:
        return rng.choice(online, min(count, len(online)), replace=False)

    def observe(self, feedback: Feedback) -> None:
        """Nothing to learn."""

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        """Nothing to take up."""
