"""One way to train on a device, whatever runtime it has."""

from suffice.federated.devices.protocol import Trainer
from suffice.federated.devices.pytorch import TorchTrainer

__all__ = ["TorchTrainer", "Trainer"]
