"""When to try again, and how long to wait."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0


@dataclass(frozen=True)
class Retry:
    """Bounds of trying again: at most `retries_max` more attempts, none that would start after `time_s`."""

    retries_max: int
    time_s: float

    def delay_s(self, retries: int, elapsed_s: float, asked_s: float | None) -> float | None:
        """Seconds until the next attempt, or None to give up.

        Exponential back-off with jitter, or what the server asked for and up to a tenth more, so that
        waiting threads do not all come back at once.
        """
        if asked_s is None:
            delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**retries) * random.uniform(0.5, 1.0)
        else:
            delay_s = asked_s * random.uniform(1.0, 1.1)
        return delay_s if retries < self.retries_max and elapsed_s + delay_s <= self.time_s else None


def asked_delay_s(headers: Mapping[str, str], answer: Any) -> float | None:
    """Seconds the server wants us to wait: Retry-After (RFC 9110, 10.2.3), or the estimated_time of a model
    that Hugging Face is still loading."""
    asked = headers.get("retry-after")
    if asked is None:
        asked = answer.get("estimated_time") if isinstance(answer, dict) else None
    try:
        return max(0.0, float(asked))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _seconds_until(asked) if isinstance(asked, str) else None


def _seconds_until(http_date: str) -> float | None:
    try:
        return max(0.0, email.utils.parsedate_to_datetime(http_date).timestamp() - time.time())
    except ValueError:
        return None
