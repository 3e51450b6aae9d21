"""Clients that teach the model most, soonest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.federated.arrays import Floats, Ints, State
from suffice.federated.selectors.protocol import Feedback, Moment
from suffice.federated.selectors.weighted import draw_weighted


@dataclass(frozen=True)
class OortRules:
    """The constants of Oort.

    Attributes:
        normalised: scale utilities to [0, 1] before the age bonus is added.
        clip_percentile: utilities above this percentile count as it.
        cutoff_share: the pool is every client scoring at least this share of the last that would be taken.
        slow_power: a client slower than the preferred duration T is marked down by ``(T / t) ** slow_power``.
        preferred_percentile: T starts at this percentile of the expected durations.
        pacer_rounds: T is loosened when the utility of this many rounds falls below that of as many before.
        uses_max: a client used more often than this is passed over while others are left.
    """

    normalised: bool
    clip_percentile: float
    cutoff_share: float
    explore_min: float
    preferred_percentile: float
    slow_power: float = 2.0
    explore_start: float = 0.9
    explore_decay: float = 0.98
    pacer_rounds: int = 20
    pacer_points: float = 5.0
    uses_max: int = 1_000_000


PAPER = OortRules(normalised=False, clip_percentile=95.0, cutoff_share=0.95, explore_min=0.2, preferred_percentile=30.0)
FEDSCALE = OortRules(
    normalised=True, clip_percentile=90.0, cutoff_share=0.05, explore_min=0.3, preferred_percentile=30.0
)
"""The constants FedScale's copy runs with; the defects of that copy are not among them."""


class OortSelector:
    """Exploit clients of high statistical utility and bearable speed, explore unseen ones by speed.

    Lai et al., *Oort: Efficient Federated Learning via Guided Participant Selection*, OSDI 2021: utility is
    ``n * sqrt(mean(loss ** 2))`` over all n samples of a client; ``sqrt(0.1 ln R / L)`` is added for clients last used
    in round L. When unseen clients run out, seen ones take their places, and the reverse: the round is never short
    while anybody is online.
    """

    def __init__(self, duration_prior_s: Floats, rules: OortRules = PAPER) -> None:
        clients = len(duration_prior_s)
        self._rules = rules
        self._duration_s = np.array(duration_prior_s, dtype=np.float64)
        self._utility = np.zeros(clients)
        self._last_round = np.zeros(clients, dtype=np.int64)
        self._uses = np.zeros(clients, dtype=np.int64)
        self._percentile = rules.preferred_percentile
        self._utility_by_round: list[float] = []

    def select(self, online: Ints, count: int, moment: Moment, rng: np.random.Generator) -> Ints:
        count = min(count, len(online))
        worn = self._uses[online] > self._rules.uses_max
        seen = online[(self._last_round[online] > 0) & ~worn]
        unseen = online[self._last_round[online] == 0]
        explore_share = self._rules.explore_start * self._rules.explore_decay**moment.round_index
        explore = min(round(max(self._rules.explore_min, explore_share) * count), len(unseen))
        exploit = min(count - explore, len(seen))
        explore = min(count - exploit, len(unseen))
        chosen = [self._exploit(seen, exploit, moment, rng), self._explore(unseen, explore, rng)]
        chosen.append(rng.permutation(online[worn])[: count - exploit - explore])
        return np.concatenate(chosen)

    def observe(self, feedback: Feedback) -> None:
        """Take in a round; a client that did not report keeps its utility but counts as used, at the speed seen."""
        clients, done = feedback.clients, feedback.completed
        utility = feedback.samples[done] * feedback.loss_rms[done]
        self._utility[clients[done]] = utility
        self._last_round[clients] = feedback.round_index
        self._uses[clients] += 1
        self._duration_s[clients] = feedback.duration_s
        self._utility_by_round.append(float(utility.sum()))
        self._pace()

    def scores(self, clients: Ints, round_index: int) -> Floats:
        """The score of each of `clients`, all seen before."""
        utility = self._utility[clients]
        utility = np.minimum(utility, np.percentile(utility, self._rules.clip_percentile))
        if self._rules.normalised:
            low = utility.min()
            utility = (utility - low) / max(utility.max() - low, 1e-12)
        score = utility + np.sqrt(0.1 * np.log(max(round_index, 1)) / self._last_round[clients])
        slow = self.preferred_s / np.maximum(self._duration_s[clients], 1e-9)
        return np.asarray(score * np.minimum(1.0, slow) ** self._rules.slow_power)

    @property
    def preferred_s(self) -> float:
        """The round duration T that is not marked down."""
        return float(np.percentile(self._duration_s, min(100.0, self._percentile)))

    def state(self) -> State:
        return {
            "duration_s": self._duration_s,
            "utility": self._utility,
            "last_round": self._last_round,
            "uses": self._uses,
            "percentile": np.array(self._percentile),
            "utility_by_round": np.array(self._utility_by_round),
        }

    def restore(self, state: State) -> None:
        self._duration_s = state["duration_s"].astype(np.float64)
        self._utility = state["utility"].astype(np.float64)
        self._last_round, self._uses = state["last_round"].astype(np.int64), state["uses"].astype(np.int64)
        self._percentile = float(state["percentile"])
        self._utility_by_round = [float(u) for u in state["utility_by_round"]]

    def _exploit(self, seen: Ints, count: int, moment: Moment, rng: np.random.Generator) -> Ints:
        if count == 0:
            return seen[:0]
        score = self.scores(seen, moment.round_index)
        last_taken = np.partition(score, len(score) - count)[len(score) - count]
        pool = score >= self._rules.cutoff_share * last_taken
        return draw_weighted(seen[pool], score[pool], count, rng)

    def _explore(self, unseen: Ints, count: int, rng: np.random.Generator) -> Ints:
        return draw_weighted(unseen, 1.0 / np.maximum(self._duration_s[unseen], 1e-9), count, rng)

    def _pace(self) -> None:
        rounds, history = self._rules.pacer_rounds, self._utility_by_round
        if len(history) >= 2 * rounds and len(history) % rounds == 0:
            before, latest = sum(history[-2 * rounds : -rounds]), sum(history[-rounds:])
            self._percentile += self._rules.pacer_points if latest <= before else 0.0
