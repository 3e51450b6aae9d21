"""For those who run Flower: our selectors and server optimisers as a Strategy, our trainers as a ClientApp."""

from suffice.federated.flower.client import flower_client
from suffice.federated.flower.strategy import flower_strategy

__all__ = ["flower_client", "flower_strategy"]
