"""At most so many units a second, over all threads."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Pace:
    """Gives every caller its own start time, one after the other (the generic cell rate algorithm, no burst).

    Args:
        units_per_s: requests or tokens a second; None for no limit (pauses still hold).
    """

    def __init__(
        self,
        units_per_s: float | None,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._units_per_s = units_per_s or math.inf
        self._clock_s, self._sleep = clock_s, sleep
        self._free_s = self._paused_until_s = -math.inf
        self._lock = threading.Lock()

    def take(self, units: float = 1.0) -> None:
        """Wait for this caller's turn, and keep the next one away for as long as `units` take."""
        while True:
            with self._lock:
                start_s = max(self._clock_s(), self._free_s, self._paused_until_s)
                self._free_s = start_s + units / self._units_per_s
            self._sleep(max(0.0, start_s - self._clock_s()))
            # A pause that came while we slept sends us to the end of the queue.
            if self._paused_until_s <= self._clock_s():
                return

    def correct(self, units: float) -> None:
        """Add units found out afterwards (negative gives back)."""
        with self._lock:
            self._free_s += units / self._units_per_s

    def pause(self, delay_s: float) -> None:
        """Nobody starts within `delay_s`: what a server asks for with Retry-After holds for every thread."""
        with self._lock:
            self._paused_until_s = max(self._paused_until_s, self._clock_s() + delay_s)
