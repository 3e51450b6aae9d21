"""Differential privacy of clients: bound what one can change, add noise, and say what was spent."""

from suffice.federated.aggregate.privacy.accountant import epsilon_spent
from suffice.federated.aggregate.privacy.clip import clip
from suffice.federated.aggregate.privacy.noise import gaussian_noise

__all__ = ["clip", "epsilon_spent", "gaussian_noise"]
