"""Which workers share a request: all while it is alone, fewer when many wait, so that nobody waits for anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suffice.regional.schedule.policy import Policy


def choose_owners(
    policy: Policy, workers: Sequence[int], owned: Mapping[int, Sequence[int]], deadline_s: float = float("inf")
) -> tuple[int, ...]:
    """The workers that share a request from now on: as many as the policy wants, those with the fewest others.

    Args:
        policy: says how many.
        workers: all of them.
        owned: the workers of every other open request.
        deadline_s: of the request.
    """
    busy = dict.fromkeys(workers, 0)
    for theirs in owned.values():
        for worker in theirs:
            busy[worker] += 1
    width = policy.width(len(workers), len(owned) + 1, deadline_s)
    return tuple(sorted(sorted(workers, key=lambda worker: (busy[worker], worker))[:width]))
