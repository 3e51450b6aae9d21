"""Which workers share a request: all while it is alone, fewer when many wait, so that nobody waits for anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suffice.regional.schedule.policy import Policy

STAY = 0.8  # what a worker is better by that has the request already, so that measured speeds do not make it wander


def choose_owners(
    policy: Policy,
    workers: Sequence[int],
    owned: Mapping[int, Sequence[int]],
    deadline_s: float = float("inf"),
    speeds: Mapping[int, float] | None = None,
    mine: Sequence[int] = (),
) -> tuple[int, ...]:
    """The workers that share a request from now on: as many as the policy wants, first those with nothing to do (a
    measured speed may be wrong), then those that have the least for their speed.

    Args:
        policy: says how many.
        workers: all of them.
        owned: the workers of every other open request.
        deadline_s: of the request.
        speeds: of each worker; by default all are alike.
        mine: its workers up to now.
    """
    load = dict.fromkeys(workers, 0.0)
    for theirs in owned.values():
        for worker in theirs:
            load[worker] += 1 / len(theirs)
    width = policy.width(len(workers), len(owned) + 1, deadline_s)

    def wait(worker: int) -> float:
        speed = 1.0 if speeds is None else speeds[worker]
        return (load[worker] + 1 / width) / speed * (STAY if worker in mine else 1.0)

    order = sorted(workers, key=lambda worker: (load[worker] > 0, wait(worker), worker))
    return tuple(sorted(order[:width]))
