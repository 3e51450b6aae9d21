"""Seconds one client needs for one round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.federated.arrays import Floats, Ints
from suffice.federated.traces import Traces

FORWARD_AND_BACKWARD = 3.0
REFERENCE_FLOPS = 6e8
"""FLOPs of the forward pass that `Traces.ms_per_sample` was timed on: MobileNetV2 at 224 px."""


@dataclass(frozen=True)
class Cost:
    """What one round asks of a client, apart from how many samples it goes through.

    Attributes:
        flops_per_sample: forward FLOPs of the model on one sample.
        bytes_down, bytes_up: on the wire, after compression.
        latency_s: check-in and connection set-up.
    """

    flops_per_sample: float
    bytes_down: float
    bytes_up: float
    latency_s: float = 0.5


def duration_s(traces: Traces, clients: Ints, samples_trained: Ints, cost: Cost) -> Floats:
    """Seconds ``[K]`` for download, training on `samples_trained` samples (repeats counted) and upload.

    Unlike FedScale's clock this sees how many samples a client really has, and how heavy the model is.
    """
    scale = FORWARD_AND_BACKWARD * cost.flops_per_sample / REFERENCE_FLOPS / 1000.0
    compute_s = scale * traces.ms_per_sample[clients].astype(np.float64) * samples_trained
    down_s = cost.bytes_down * 8e-3 / traces.down_kbps[clients].astype(np.float64)
    up_s = cost.bytes_up * 8e-3 / traces.up_kbps[clients].astype(np.float64)
    return np.asarray(cost.latency_s + down_s + compute_s + up_s)
