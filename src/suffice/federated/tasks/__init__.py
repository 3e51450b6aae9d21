"""What is learnt: the data of each client, the test set, the model and the loss."""

from suffice.federated.tasks.card import ModelCard
from suffice.federated.tasks.digits import DigitsTask
from suffice.federated.tasks.linear import LinearTask
from suffice.federated.tasks.protocol import ClientData, Task
from suffice.federated.tasks.synthetic import SyntheticTask
from suffice.federated.tasks.table import TableTask

__all__ = ["ClientData", "DigitsTask", "LinearTask", "ModelCard", "SyntheticTask", "TableTask", "Task"]
