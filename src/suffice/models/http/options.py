"""The options that models behind HTTP share."""

from __future__ import annotations

from suffice.models.options import Option

_ABOVE_ZERO = 1e-6

COMMON = {
    "api_key_env": Option(kind=str),
    "connect_timeout_s": Option(10.0, low=_ABOVE_ZERO),
    "timeout_s": Option(60.0, low=_ABOVE_ZERO),
    "max_retries": Option(5, low=0),
    "retry_time_s": Option(120.0, low=0),
    "rate_per_s": Option(low=_ABOVE_ZERO, kind=float),
    "concurrency": Option(8, low=1),
    "max_calls": Option(low=0, kind=int),
    "max_price": Option(low=0, kind=float),
    "price_per_input": Option(0.0, low=0),
}
"""Options of every HTTP model."""

TOKENS = {
    "tokens_per_minute": Option(low=_ABOVE_ZERO, kind=float),
    "price_per_million_input_tokens": Option(0.0, low=0),
    "price_per_million_output_tokens": Option(0.0, low=0),
}
"""Options of models that count tokens."""

MAX_SIDE_PX = Option(low=16, kind=int, in_version=True)
