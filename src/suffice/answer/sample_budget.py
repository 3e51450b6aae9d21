"""What a sample has paid for, and what its BUDGET still reaches for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from suffice.answer.engine import Engine
from suffice.answer.unit_sample import UnitSample
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.sql.target import Target

CALLS_MIN = 16


@dataclass
class SampleBudget:
    """Of one statement. Calls of a proxy, which all units take, are no part of a budget.

    Attributes:
        units: asked so far.
        dearest: the most calls that a unit took in one round.
        proxy_calls: of `sample.calls_done` those that gave scores.
    """

    engine: Engine
    target: Target
    sample: UnitSample
    work: Work
    units: int = 0
    dearest: float = 1.0
    proxy_calls: int = 0
    started: float = field(default_factory=time.perf_counter)

    @property
    def is_limited(self) -> bool:
        return self.target.budget_calls is not None or self.target.budget_s is not None

    def check(self) -> None:
        """Raise :class:`UsageError` for a budget that buys nothing."""
        calls, seconds = self.target.budget_calls, self.target.budget_s
        if calls is not None and calls < CALLS_MIN:
            raise UsageError(
                f"BUDGET {calls} CALLS buys no interval worth printing: ask for at least {CALLS_MIN} CALLS"
            )
        if seconds is not None and not seconds > 0:
            raise UsageError("BUDGET 0 SECONDS buys nothing: ask for more than 0 SECONDS")

    def affordable(self) -> int:
        """Units that what is left of the budget pays for."""
        most = self.sample.size
        if self.target.budget_calls is not None:
            left = self.target.budget_calls + self.proxy_calls - self.sample.calls_done
            most = min(most, int(left / self.dearest))
        if self.target.budget_s is not None:
            left_s = self.target.budget_s - (time.perf_counter() - self.started)
            each_s = sum(model.seconds for model in self.work.model_calls.values()) / max(self.units, 1)
            most = min(most, int(left_s / max(each_s, 1e-3)) if left_s > 0 else 0)
        return most

    @contextmanager
    def on_units(self, new: int) -> Iterator[None]:
        """What is called inside is for `new` units, and never beyond the budget."""
        before, usual = self.sample.calls_done, self.engine.budget
        if self.target.budget_calls is not None:
            most = self.target.budget_calls + self.proxy_calls
            least = most if usual.max_calls is None else min(most, usual.max_calls)
            self.engine.budget = replace(usual, max_calls=least)
        try:
            yield
        finally:
            self.engine.budget = usual
        self.units += new
        self.dearest = max(self.dearest, (self.sample.calls_done - before) / new if new else 0.0)

    @contextmanager
    def on_proxy(self) -> Iterator[None]:
        """What is called inside gives scores."""
        before = self.sample.calls_done
        yield
        self.proxy_calls += self.sample.calls_done - before
