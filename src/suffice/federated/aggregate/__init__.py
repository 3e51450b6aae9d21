"""From the updates of clients to the next model: everything linear folds in a tree of any shape."""

from suffice.federated.aggregate.partial import Partial, fold, partial_of
from suffice.federated.aggregate.scaffold import ControlVariates
from suffice.federated.aggregate.screen import screen, screen_rows, take

__all__ = ["ControlVariates", "Partial", "fold", "partial_of", "screen", "screen_rows", "take"]
