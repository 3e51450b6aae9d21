"""The parts of an HTTP model put together from its options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from suffice.errors import UsageError
from suffice.models.http.allowed_hosts import checked_url
from suffice.models.http.http_client import HttpClient, need_http_extra
from suffice.models.http.http_model import Exchange, HttpModel
from suffice.models.http.keys import check_headers, has_variable
from suffice.models.http.pace import Pace
from suffice.models.http.retry import Retry
from suffice.models.http.spend import NO_USAGE, Prices, Spend, Usage
from suffice.models.options import Option, versioned
from suffice.models.protocol import Column, Signature


class Endpoint(NamedTuple):
    """Who answers: `runner` with its `revision` (raised when its code would answer otherwise), and where."""

    runner: str
    revision: int
    url: str
    model: str = ""
    headers: Mapping[str, str] = {}
    method: str = "POST"


class Columns(NamedTuple):
    """What goes in and comes out."""

    inputs: Sequence[Column]
    outputs: Sequence[Column]
    returns: Literal["scalar", "rows"]


def assemble(
    name: str,
    endpoint: Endpoint,
    columns: Columns,
    exchange: Exchange,
    options: Mapping[str, Any],
    known: Mapping[str, Option],
    expected: Usage = NO_USAGE,
) -> HttpModel:
    """A model named `name`; its version covers what decides the answer, and neither keys nor limits."""
    need_http_extra()
    checked_url(endpoint.url)
    prices = Prices(*(options.get(key) or 0.0 for key in _PRICES))
    _check_cap(name, options, prices)
    decisive = versioned(options, known)
    signature = Signature(
        name=name,
        version=_version(endpoint, columns, decisive),
        inputs=tuple(columns.inputs),
        outputs=tuple(columns.outputs),
        returns=columns.returns,
        options=decisive,
        batch_size=options.get("batch_size") or 1,
        concurrency=options["concurrency"],
        cost_s=1.0,
        price=prices.of(1, expected),
    )
    return HttpModel(signature, client_of(name, endpoint, options, prices), exchange)


_PRICES = ("price_per_input", "price_per_million_input_tokens", "price_per_million_output_tokens")


def _check_cap(name: str, options: Mapping[str, Any], prices: Prices) -> None:
    if options["max_price"] is not None and prices == Prices():
        raise UsageError(f"{name}: max_price needs a price, such as price_per_input => 0.001")


def client_of(name: str, endpoint: Endpoint, options: Mapping[str, Any], prices: Prices) -> HttpClient:
    """What speaks to `endpoint`, as fast, as often and as long as `options` allow."""
    tokens_per_minute = options.get("tokens_per_minute")
    return HttpClient(
        name=name,
        url=endpoint.url,
        method=endpoint.method,
        headers=check_headers(endpoint.headers),
        spend=Spend(prices, options["max_calls"], options["max_price"]),
        connect_timeout_s=options["connect_timeout_s"],
        timeout_s=options["timeout_s"],
        retry=Retry(options["max_retries"], options["retry_time_s"]),
        requests=Pace(options["rate_per_s"]),
        tokens=Pace(tokens_per_minute and tokens_per_minute / 60),
        connections_max=options["concurrency"],
    )


def _version(endpoint: Endpoint, columns: Columns, decisive: Mapping[str, Any]) -> str:
    headers = {name: text for name, text in endpoint.headers.items() if not has_variable(text)}
    parts = [endpoint._replace(headers=headers), columns, decisive]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return f"{endpoint.runner}-{endpoint.revision}-{digest[:16]}"
