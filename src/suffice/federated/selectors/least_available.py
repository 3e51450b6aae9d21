"""Those who will not be there later go first."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats, Ints, State
from suffice.federated.selectors.protocol import Feedback, Moment
from suffice.federated.traces import Traces

_DAY_S = 86_400.0


class LeastAvailableSelector:
    """Rank clients by the chance that they are online in the next slot, least likely first, ties at random.

    After Abdelmoniem et al., *REFL: Resource-Efficient Federated Learning*, EuroSys 2023. The chance is the share of
    the past days on which the client was online at that time of day: only the past is looked at. Of very many online,
    a random `ranked_max` are ranked.
    """

    def __init__(
        self, traces: Traces, *, slot_s: float = 1800.0, history_days: int = 6, ranked_max: int = 200_000
    ) -> None:
        self._traces = traces
        self._slot_s = slot_s
        self._history_days = history_days
        self._ranked_max = ranked_max

    def select(self, online: Ints, count: int, moment: Moment, rng: np.random.Generator) -> Ints:
        shuffled = rng.permutation(online)[: max(count, self._ranked_max)]
        chance = self._chance(shuffled, moment.time_s + self._slot_s)
        return shuffled[np.argsort(chance, kind="stable")[:count]]

    def observe(self, feedback: Feedback) -> None:
        """The trace is all this selector looks at."""

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        """Nothing to take up."""

    def _chance(self, clients: Ints, time_s: float) -> Floats:
        days = range(1, self._history_days + 1)
        return np.asarray(np.mean([self._traces.online(time_s - day * _DAY_S, clients) for day in days], axis=0))
