"""What a model's calls have cost so far, and the caps that stop the next one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import NamedTuple

from suffice.errors import ModelUnavailableError


class SpendCapError(ModelUnavailableError):
    """The next call would exceed `max_calls` or `max_price`; nothing was sent."""


class Usage(NamedTuple):
    """Tokens of one call, as the provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0


NO_USAGE = Usage()


class Spent(NamedTuple):
    """Calls that were made, what was in them, and their price in the provider's currency."""

    calls: int = 0
    inputs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    price: float = 0.0

    def minus(self, other: Spent) -> Spent:
        return Spent(
            self.calls - other.calls,
            self.inputs - other.inputs,
            self.input_tokens - other.input_tokens,
            self.output_tokens - other.output_tokens,
            self.price - other.price,
        )


@dataclass(frozen=True)
class Prices:
    """Money in the provider's currency; what is not charged is 0."""

    per_input: float = 0.0
    per_million_input_tokens: float = 0.0
    per_million_output_tokens: float = 0.0

    def of(self, inputs: int, usage: Usage) -> float:
        """Price of a call with so many inputs and tokens."""
        tokens = (
            usage.input_tokens * self.per_million_input_tokens + usage.output_tokens * self.per_million_output_tokens
        )
        return inputs * self.per_input + tokens / 1e6


class Spend:
    """Counter shared by threads: money is set aside before a call and settled after it.

    A call counts when it was answered, or when nobody knows whether it was (timeout, broken connection);
    refused calls (429, 5xx, 4xx) do not. Where the price hangs on tokens, the sum set aside is an estimate
    (the largest price so far, if that is more), so `max_price` can be passed by the error of the calls under way.

    Attributes:
        calls, inputs, input_tokens, output_tokens, price: since this counter was made.
        before: what was spent under the model's name besides, by earlier and by other processes; caps count it too.
    """

    def __init__(self, prices: Prices, max_calls: int | None = None, max_price: float | None = None) -> None:
        self.prices, self.max_calls, self.max_price = prices, max_calls, max_price
        self.calls = self.inputs = self.input_tokens = self.output_tokens = 0
        self.price = 0.0
        self.before = self._kept = Spent()
        self._calls_open, self._price_open, self._price_of_input_max = 0, 0.0, 0.0
        self._lock = threading.Lock()

    def reserve(self, inputs: int, expected: Usage) -> float:
        """Set a call aside, and return its expected price; raises :class:`SpendCapError` when a cap forbids it."""
        with self._lock:
            price = max(self.prices.of(inputs, expected), inputs * self._price_of_input_max)
            if self.max_calls is not None and self.before.calls + self.calls + self._calls_open + 1 > self.max_calls:
                raise SpendCapError(f"max_calls => {self.max_calls} is used up ({self._sum()})")
            after = self.before.price + self.price + self._price_open + price
            if self.max_price is not None and after > self.max_price * (1 + 1e-9):
                raise SpendCapError(f"the next call would exceed max_price => {self.max_price:g} ({self._sum()})")
            self._calls_open += 1
            self._price_open += price
            return price

    def release(self, reserved_price: float) -> None:
        """The call was refused or never sent: it costs nothing."""
        with self._lock:
            self._close(reserved_price)

    def settle(self, reserved_price: float, inputs: int, usage: Usage) -> None:
        """The call was made: count it."""
        with self._lock:
            self._close(reserved_price)
            price = self.prices.of(inputs, usage)
            self.calls += 1
            self.inputs += inputs
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.price += price
            self._price_of_input_max = max(self._price_of_input_max, price / inputs)

    def take_unkept(self) -> Spent:
        """What was spent since the last time this was asked; whoever asks keeps it."""
        with self._lock:
            now = Spent(self.calls, self.inputs, self.input_tokens, self.output_tokens, self.price)
            kept, self._kept = self._kept, now
            return now.minus(kept)

    def resume(self, everything: Spent) -> None:
        """Count what is kept of others; `everything` includes what was taken of this counter."""
        with self._lock:
            self.before = everything.minus(self._kept)

    def _close(self, reserved_price: float) -> None:
        self._calls_open -= 1
        self._price_open -= reserved_price

    def _sum(self) -> str:
        before = self.before
        count = self.input_tokens + self.output_tokens + before.input_tokens + before.output_tokens
        tokens = f", {count} tokens" if count else ""
        return f"{before.calls + self.calls} calls{tokens}, {before.price + self.price:g} spent"
