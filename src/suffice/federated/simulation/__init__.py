"""A federated run on one machine and a virtual clock."""

from suffice.federated.simulation.report import Report, RoundRecord
from suffice.federated.simulation.run import simulate

__all__ = ["Report", "RoundRecord", "simulate"]
