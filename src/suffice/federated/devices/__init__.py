"""One way to train on a device, whatever runtime it has."""

from suffice.federated.devices.executorch import ExecuTorchTrainer, training_program
from suffice.federated.devices.litert import LiteRtTrainer
from suffice.federated.devices.mlp import MlpShape
from suffice.federated.devices.mnn import MnnTrainer
from suffice.federated.devices.protocol import Trainer
from suffice.federated.devices.pytorch import TorchTrainer

__all__ = [
    "ExecuTorchTrainer",
    "LiteRtTrainer",
    "MlpShape",
    "MnnTrainer",
    "TorchTrainer",
    "Trainer",
    "training_program",
]
