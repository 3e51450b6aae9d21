"""When to step down, and when to try again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from suffice.errors import SufficeError
from suffice.federated.pace.profile import Profile


class Controller:
    """Walks a chain of profiles, fastest first, by whether others are in the way.

    Steps down after `patience` disturbed observations in a row, or at once when `too_hot()` says so. Tries one step up
    after `retry_s` once nobody is seen, twice as long after every try that fails, up to `retry_max_s`.
    """

    def __init__(
        self,
        chain: Sequence[Profile],
        *,
        patience: int = 3,
        retry_s: float = 5.0,
        retry_max_s: float = 300.0,
        too_hot: Callable[[], bool] = lambda: False,
    ) -> None:
        if not chain:
            raise SufficeError("no way to run was profiled")
        self._chain, self._too_hot = list(chain), too_hot
        self._patience = patience
        self._retry_first_s, self._retry_max_s = retry_s, retry_max_s
        self._place, self._strikes = 0, 0
        self._wait_s, self._retry_at_s, self._went_up_s = retry_s, 0.0, float("-inf")

    @property
    def current(self) -> Profile:
        """The profile to run by."""
        return self._chain[self._place]

    @property
    def below(self) -> Profile | None:
        """What to step down to; None where this is the least."""
        return self._chain[self._place + 1] if self._place + 1 < len(self._chain) else None

    @property
    def calm(self) -> bool:
        """Whether it runs by the best profile, and nobody was seen."""
        return not self._place and not self._strikes

    def observe(self, disturbed: bool, now_s: float) -> Profile:
        """Take in whether the last stretch was :func:`~suffice.federated.pace.profile.disturbed`; returns what to run
        by next."""
        hot = self._too_hot()
        self._strikes = self._strikes + 1 if disturbed else 0
        if (hot or self._strikes >= self._patience) and self._place + 1 < len(self._chain):
            self._step_down(now_s)
        elif not hot and not self._strikes and self._place and now_s >= self._retry_at_s:
            self._place, self._went_up_s = self._place - 1, now_s
        return self.current

    def _step_down(self, now_s: float) -> None:
        failed_try = now_s - self._went_up_s < self._wait_s
        self._wait_s = min(self._retry_max_s, 2 * self._wait_s) if failed_try else self._retry_first_s
        self._place, self._strikes = self._place + 1, 0
        self._retry_at_s = now_s + self._wait_s
