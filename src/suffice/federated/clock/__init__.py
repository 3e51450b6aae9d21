"""Virtual time: what a round costs the devices, and when it closes."""

from suffice.federated.clock.cost import Cost, duration_s
from suffice.federated.clock.events import Arrival, EventQueue
from suffice.federated.clock.round import RoundClose, close_round

__all__ = ["Arrival", "Cost", "EventQueue", "RoundClose", "close_round", "duration_s"]
