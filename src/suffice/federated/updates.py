"""What clients hand back."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.federated.arrays import Floats, Floats32, Ints


@dataclass(frozen=True)
class Updates:
    """Results of K clients: `delta` ``[K, P]`` is trained minus received weights; losses are of the model received,
    over all samples of the client; `steps` ``[K]`` mini-batches taken."""

    clients: Ints
    delta: Floats32
    samples: Ints
    loss_mean: Floats
    loss_rms: Floats
    steps: Ints
