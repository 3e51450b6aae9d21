"""Where models run: in this process, or in workers that Ray places; results are the same and land in the same store."""

from suffice.models.engines.engine import InferenceEngine
from suffice.models.engines.open_engine import open_engine

__all__ = ["InferenceEngine", "open_engine"]
