"""What a selection with a guarantee returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Certificate:
    """Which units to return, and what is promised of them.

    Attributes:
        accept_above: units with score >= this are returned on the proxy's word, unless the oracle said no.
        reject_below: units with score < this are left out, unless the oracle said yes; units between the two must be
            asked one by one for the promise to hold (none when both are equal).
        recall, precision: the promised least values, None when not asked for. "Right" is what the oracle says.
        confidence: probability that *all* promises hold.
        labelled, labels: (k,) units the oracle was asked, and its answers.
        assumptions: what the promise rests on.
    """

    accept_above: float
    reject_below: float
    recall: float | None
    precision: float | None
    confidence: float
    labelled: Indices
    labels: npt.NDArray[np.bool_]
    assumptions: tuple[str, ...] = ("units drawn at random by the given generator", "the oracle's answer is the truth")

    @property
    def n(self) -> int:
        """Oracle calls spent."""
        return self.labelled.size

    def returned(self, scores: npt.NDArray[np.float64]) -> Indices:
        """Units to return, rising, without those between that are still to be asked."""
        chosen = scores >= self.accept_above
        chosen[self.labelled] = self.labels
        return np.flatnonzero(chosen)

    def between(self, scores: npt.NDArray[np.float64]) -> Indices:
        """Units still to be asked: those the oracle affirms join the answer."""
        unsure = (scores >= self.reject_below) & (scores < self.accept_above)
        unsure[self.labelled] = False
        return np.flatnonzero(unsure)
