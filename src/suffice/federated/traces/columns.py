"""Device traces of many clients as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Bools, Floats, Floats32, Ints

WEEK_S = 7 * 86_400.0


@dataclass(frozen=True)
class Traces:
    """Speed, bandwidth and online sessions of N clients; every question about time is a pure function.

    A cursor that moves forward with the questions (FedScale's way) gives wrong answers once anybody asks about
    the future; here the session is found by binary search, so order and number of questions do not matter.

    Attributes:
        ms_per_sample: ``[N]`` milliseconds of one forward pass over one sample of the reference model.
        down_kbps, up_kbps: ``[N]`` kilobits per second.
        period_s: ``[N]`` the trace of a client repeats after this many seconds.
        offsets: ``[N + 1]`` sessions of client i are ``offsets[i]:offsets[i + 1]`` of the two columns below.
        start_s, end_s: ``[S]`` seconds in ``[0, period_s]``, ascending and disjoint within a client (float32: a
            sixteenth of a second in a week).
    """

    ms_per_sample: Floats32
    down_kbps: Floats32
    up_kbps: Floats32
    period_s: Floats32
    offsets: Ints
    start_s: Floats32
    end_s: Floats32

    def __post_init__(self) -> None:
        if len(self.offsets) != len(self) + 1 or self.offsets[-1] != len(self.start_s):
            raise SufficeError(f"traces of {len(self)} clients: offsets do not delimit {len(self.start_s)} sessions")
        for name in ("ms_per_sample", "down_kbps", "up_kbps", "period_s"):
            wrong = ~(np.isfinite(column := getattr(self, name)) & (column > 0))
            if wrong.any():
                raise SufficeError(f"traces: {name} of client {wrong.argmax()} is {column[wrong][0]:g}, not above 0")
        inner = np.ones(len(self.start_s), dtype=bool)
        inner[self.offsets[:-1][self.offsets[:-1] < len(inner)]] = False
        ascending = self.start_s[1:] >= self.end_s[:-1]
        if not (ascending | ~inner[1:]).all() or not (self.start_s <= self.end_s).all():
            raise SufficeError("traces: the sessions of a client must ascend without overlap")

    def __len__(self) -> int:
        return len(self.ms_per_sample)

    @property
    def nbytes(self) -> int:
        """Bytes held by all columns."""
        return sum(column.nbytes for column in vars(self).values())

    def online(self, time_s: float, clients: Ints | None = None) -> Bools:
        """Whether each of `clients` (all when None) is online at `time_s`."""
        ids, local_s = self._local(time_s, clients)
        return self._inside(ids, local_s, self._session_after(ids, local_s) - 1)

    def online_until(self, time_s: float, clients: Ints | None = None) -> Floats:
        """The moment each client's present session ends: `time_s` itself when offline, inf when always online."""
        ids, local_s = self._local(time_s, clients)
        session = self._session_after(ids, local_s) - 1
        inside = self._inside(ids, local_s, session)
        end_s = np.where(inside, self._at(self.end_s, session), local_s)
        end_s += np.where(inside & (end_s >= self.period_s[ids]), self._head_s(ids), 0.0)
        return np.asarray(time_s + end_s - local_s)

    def next_online(self, time_s: float, clients: Ints | None = None) -> Floats:
        """The first moment from `time_s` on at which each client is online; inf for a client that never is."""
        ids, local_s = self._local(time_s, clients)
        following = self._session_after(ids, local_s)
        inside = self._inside(ids, local_s, following - 1)
        wrapped = following >= self.offsets[ids + 1]
        first_s = self._at(self.start_s, self.offsets[ids]) + self.period_s[ids]
        wait_s = np.where(wrapped, first_s, self._at(self.start_s, following)) - local_s
        wait_s[self.offsets[ids] == self.offsets[ids + 1]] = np.inf
        return np.asarray(time_s + np.where(inside, 0.0, wait_s))

    def _local(self, time_s: float, clients: Ints | None) -> tuple[Ints, Floats]:
        ids = np.arange(len(self)) if clients is None else np.asarray(clients)
        return ids, np.mod(np.float64(time_s), self.period_s[ids].astype(np.float64))

    def _session_after(self, ids: Ints, local_s: Floats) -> Ints:
        low, high = self.offsets[ids], self.offsets[ids + 1]
        while (open_ := low < high).any():
            middle = (low + high) // 2
            later = self._at(self.start_s, middle) > local_s
            low, high = np.where(open_ & ~later, middle + 1, low), np.where(open_ & later, middle, high)
        return low

    def _inside(self, ids: Ints, local_s: Floats, session: Ints) -> Bools:
        return np.asarray((session >= self.offsets[ids]) & (local_s < self._at(self.end_s, session)))

    def _head_s(self, ids: Ints) -> Floats:
        """How long a session that reaches the end of the period goes on after the wrap."""
        first = self.offsets[ids]
        start_s, end_s = self._at(self.start_s, first), self._at(self.end_s, first)
        return np.where(start_s > 0, 0.0, np.where(end_s >= self.period_s[ids], np.inf, end_s))

    @staticmethod
    def _at(column: Floats32, index: Ints) -> Floats:
        if not len(column):
            return np.zeros(len(index))
        return column[np.clip(index, 0, len(column) - 1)].astype(np.float64)

    @classmethod
    def always(cls, clients: int, *, ms_per_sample: float = 1.0, kbps: float = 10_000.0) -> Traces:
        """Equal devices that never go offline."""
        ones = np.ones(clients, dtype=np.float32)
        week = ones * np.float32(WEEK_S)
        offsets = np.arange(clients + 1, dtype=np.int64)
        return cls(ones * ms_per_sample, ones * kbps, ones * kbps, week, offsets, ones * 0, week)
