"""What a trace looks like in a handful of figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.federated.traces.columns import Traces


@dataclass(frozen=True)
class TraceStatistics:
    """Printed beside every simulated result, so nobody has to guess what the devices were like."""

    clients: int
    sessions_per_client: float
    online_share_by_hour: tuple[float, ...]
    session_minutes_p50: float
    session_minutes_p70: float
    session_minutes_p95: float
    speed_p90_over_p10: float
    down_over_up_median: float


def trace_statistics(traces: Traces, *, sample: int = 20_000) -> TraceStatistics:
    """Summarise `traces`; the hourly shares are the mean over seven days of the first `sample` clients."""
    ids = np.arange(min(sample, len(traces)))
    share = [
        float(np.mean([traces.online(day * 86_400.0 + hour * 3_600.0, ids).mean() for day in range(7)]))
        for hour in range(24)
    ]
    minutes = (traces.end_s - traces.start_s) / 60.0
    p50, p70, p95 = (float(p) for p in np.percentile(minutes, [50, 70, 95])) if len(minutes) else (0.0, 0.0, 0.0)
    slow, fast = np.percentile(traces.ms_per_sample, [90, 10])
    down_over_up = float(np.median(traces.down_kbps / traces.up_kbps))
    sessions = len(minutes) / max(1, len(traces))
    return TraceStatistics(len(traces), sessions, tuple(share), p50, p70, p95, float(slow / fast), down_over_up)
