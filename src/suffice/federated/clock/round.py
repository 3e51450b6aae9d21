"""When a synchronous round ends, and whose work counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.federated.arrays import Floats, Ints


@dataclass(frozen=True)
class RoundClose:
    """The outcome of a round; `completed`, `late` and `dropped` are positions in the selected list.

    Attributes:
        end_s: virtual moment the round closes.
        useful_s, wasted_s: device-seconds spent on updates that were, and were not, folded in.
        succeeded: at least the minimum number of reports came in; otherwise `completed` is empty.
    """

    completed: Ints
    late: Ints
    dropped: Ints
    end_s: float
    useful_s: float
    wasted_s: float
    succeeded: bool


def close_round(
    start_s: float,
    duration_s: Floats,
    online_until_s: Floats,
    *,
    target: int,
    deadline_s: float = np.inf,
    reports_min: int = 1,
) -> RoundClose:
    """Close a round on its `target`-th report, on the deadline, or when nobody is left to wait for.

    Args:
        duration_s: ``[M]`` seconds each selected client needs; M is `target` times the over-commitment.
        online_until_s: ``[M]`` the moment each goes offline; one that finishes later has dropped out.
        deadline_s: seconds after `start_s`.
    """
    finish_s = start_s + duration_s
    dropped = finish_s > online_until_s
    in_time = ~dropped & (duration_s <= deadline_s)
    order = np.argsort(np.where(in_time, finish_s, np.inf), kind="stable")
    completed = np.sort(order[: min(target, int(in_time.sum()))])
    end_s = _end_s(start_s, deadline_s, finish_s, online_until_s, completed, target)
    succeeded = len(completed) >= max(1, reports_min)
    completed = completed if succeeded else completed[:0]
    worked_s = np.minimum(np.minimum(finish_s, online_until_s), end_s) - start_s
    useful_s = float(worked_s[completed].sum())
    late = np.setdiff1d(np.flatnonzero(~dropped), completed)
    wasted_s = float(worked_s.sum()) - useful_s
    return RoundClose(completed, late, np.flatnonzero(dropped), end_s, useful_s, wasted_s, succeeded)


def _end_s(
    start_s: float, deadline_s: float, finish_s: Floats, online_until_s: Floats, completed: Ints, target: int
) -> float:
    if len(completed) and len(completed) == target:
        return float(finish_s[completed].max())
    last_sign_of_life_s = np.minimum(finish_s, online_until_s).max(initial=start_s)
    return float(min(start_s + deadline_s, last_sign_of_life_s))
