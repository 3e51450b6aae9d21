"""Of a few candidates, those the model serves worst."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Ints, State
from suffice.federated.selectors.protocol import Feedback, Moment
from suffice.federated.selectors.weighted import draw_weighted


class PowerOfChoiceSelector:
    """Draw candidates in proportion to their samples, keep those of highest last reported loss.

    The form without extra communication of Cho, Wang and Joshi, *Towards Understanding Biased Client Selection in
    Federated Learning*, AISTATS 2022 (rpow-d); clients never heard of count as the worst served.
    """

    def __init__(self, samples: Ints, *, candidates_per_place: float = 3.0) -> None:
        self._samples = samples
        self._candidates_per_place = candidates_per_place
        self._loss = np.full(len(samples), np.inf)

    def select(self, online: Ints, count: int, moment: Moment, rng: np.random.Generator) -> Ints:
        candidate_count = max(count, round(self._candidates_per_place * count))
        candidates = draw_weighted(online, self._samples[online].astype(np.float64), candidate_count, rng)
        rng.shuffle(candidates)
        return candidates[np.argsort(-self._loss[candidates], kind="stable")[:count]]

    def observe(self, feedback: Feedback) -> None:
        done = feedback.completed
        self._loss[feedback.clients[done]] = feedback.loss_mean[done]

    def state(self) -> State:
        return {"loss": self._loss}

    def restore(self, state: State) -> None:
        self._loss = state["loss"].astype(np.float64)
