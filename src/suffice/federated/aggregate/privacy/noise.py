"""The Gaussian mechanism."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Bools, Floats


def gaussian_noise(multiplier: float, norm_max: float, trained: Bools, rng: np.random.Generator) -> Floats:
    """``[P]`` noise of standard deviation ``multiplier * norm_max`` on trained elements.

    Once on a sum it protects every client in it from whoever sees the model (central); on each update it protects
    that client from the server as well (local). Floating-point noise is not proof against an adversary who inspects
    the low bits (Mironov, CCS 2012).
    """
    return np.where(trained, rng.normal(0.0, multiplier * norm_max, len(trained)), 0.0)
