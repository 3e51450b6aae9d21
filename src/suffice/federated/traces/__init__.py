"""When a device is online, how fast it computes and how fast it sends: columnar arrays and pure functions of time."""

from suffice.federated.traces.columns import Traces
from suffice.federated.traces.fedscale import read_fedscale, write_fedscale
from suffice.federated.traces.statistics import TraceStatistics, trace_statistics
from suffice.federated.traces.synthetic import synthetic_traces

__all__ = ["TraceStatistics", "Traces", "read_fedscale", "synthetic_traces", "trace_statistics", "write_fedscale"]
