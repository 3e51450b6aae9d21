"""Privacy spent."""

from __future__ import annotations

from suffice.errors import SufficeError


def epsilon_spent(multiplier: float, sampling_rate: float, rounds: int, delta: float) -> float:
    """Epsilon after `rounds` of the sampled Gaussian mechanism, by Google's `dp-accounting` (Renyi accountant).

    Args:
        sampling_rate: the chance of any client to be in a round. The bound assumes every client is drawn on its own
            (Poisson); a selector that prefers some clients breaks that, and a run with one uses rate 1.
        delta: the failure probability, below 1 / clients.
    """
    try:
        from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
        from dp_accounting.rdp import RdpAccountant
    except ImportError:
        raise SufficeError("privacy accounting needs dp-accounting: pip install 'suffice[federated]'") from None
    if multiplier <= 0 or rounds == 0:
        return 0.0 if rounds == 0 else float("inf")
    event = PoissonSampledDpEvent(sampling_rate, GaussianDpEvent(multiplier))
    return float(RdpAccountant().compose(SelfComposedDpEvent(event, rounds)).get_epsilon(delta))
