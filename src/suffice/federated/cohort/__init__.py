"""Local training of many clients in one process."""

from suffice.federated.cohort.choose import choose_method
from suffice.federated.cohort.evaluate import evaluate
from suffice.federated.cohort.local import LocalTraining
from suffice.federated.cohort.processes import Train, training_processes
from suffice.federated.cohort.train import Cohort
from suffice.federated.updates import Updates

__all__ = ["Cohort", "LocalTraining", "Train", "Updates", "choose_method", "evaluate", "training_processes"]
