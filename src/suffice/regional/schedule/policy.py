"""Which ready unit a free worker takes. The same objects decide for the real workers and in the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from suffice.regional.schedule.unit import Unit


class Policy(Protocol):
    """Chooses among ready units that `worker` may take; `last` is the request it worked on before. None: wait."""

    def choose(self, worker: int, ready: Sequence[Unit], last: int | None, running: Sequence[int]) -> Unit | None:
        """`running`: the requests that have begun and are not finished, oldest first."""
        ...

    def width(self, workers: int, requests: int, deadline_s: float = float("inf")) -> int:
        """How many of `workers` share a request while `requests` are open."""
        ...


@dataclass(frozen=True)
class GapFilling:
    """By deadline, then the longest remaining path; between equals this request, then another, then a warm-up.

    in_flight_max: requests that have caches at one time; a warm-up of a further one waits. elastic: under backlog fewer
    workers share a request without a deadline, down to one, which waits for nobody; else all always do.
    """

    in_flight_max: int = 8
    elastic: bool = True

    def choose(self, worker: int, ready: Sequence[Unit], last: int | None, running: Sequence[int]) -> Unit | None:
        """See :class:`Policy`."""
        open_to = [one for one in ready if one.request in running or len(running) < self.in_flight_max]
        return min(open_to, key=lambda one: _order(one, last), default=None)

    def width(self, workers: int, requests: int, deadline_s: float = float("inf")) -> int:
        """See :class:`Policy`."""
        if not self.elastic or deadline_s < float("inf"):
            return workers
        return max(1, workers // min(requests, self.in_flight_max))


def _order(unit: Unit, last: int | None) -> tuple[float, int, float, int]:
    place = 2 if unit.kind == "warmup" else int(unit.request != last)
    return (unit.deadline_s, place, -unit.left_s, unit.request)


@dataclass(frozen=True)
class OneByOne:
    """One request at a time: a worker whose region rests waits for the step to end. What gap-filling is held against;
    without any rests it is also how DistriFusion's static strips run."""

    def choose(self, worker: int, ready: Sequence[Unit], last: int | None, running: Sequence[int]) -> Unit | None:
        """See :class:`Policy`."""
        return next((one for one in ready if not running or one.request == running[0]), None)

    def width(self, workers: int, requests: int, deadline_s: float = float("inf")) -> int:
        """See :class:`Policy`."""
        return workers
