"""Fewer bytes on the way up."""

from suffice.federated.aggregate.compress.error_feedback import ErrorFeedback
from suffice.federated.aggregate.compress.quantise import Quantise
from suffice.federated.aggregate.compress.top_k import TopK

__all__ = ["ErrorFeedback", "Quantise", "TopK"]
