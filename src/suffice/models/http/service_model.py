"""``http:URL`` without columns: a model of suffice's own service, which is asked what it takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from suffice.errors import ModelError
from suffice.models.http.arrow_rows import MEDIA_TYPE, pack_rows
from suffice.models.http.assemble import Columns, Endpoint, assemble, client_of
from suffice.models.http.http_client import Request
from suffice.models.http.http_model import HttpModel
from suffice.models.http.service_exchange import ServiceExchange
from suffice.models.http.spend import Prices
from suffice.models.options import Option
from suffice.models.protocol import Column

REVISION = 1


def service_model(
    name: str, url: str, headers: Mapping[str, str], options: Mapping[str, Any], known: Mapping[str, Option]
) -> HttpModel:
    """The model behind `url`, as its service describes it; its version is theirs, wherever it is served.

    Raises:
        ModelError: no model is described there; ModelUnavailableError: it cannot be reached, or refuses the key.
    """
    asking = client_of(name, Endpoint("http", REVISION, url, headers=headers, method="GET"), options, Prices())
    told = asking.send(Request({}), lambda answer: None)
    try:
        columns = Columns(_columns(told["inputs"]), _columns(told["outputs"]), told["returns"])
        options = {**options, "batch_size": options["batch_size"] or int(told["batch_size"])}
        version = f"service-{REVISION}-{told['name']}-{told['version']}"
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ModelError(asking.says(f"{url} does not describe a model: give inputs and outputs")) from None
    endpoint = Endpoint("http", REVISION, url, headers={**headers, "Content-Type": MEDIA_TYPE})
    exchange = ServiceExchange(tuple(columns.outputs), tuple, partial(pack_rows, columns.inputs))
    made = assemble(name, endpoint, columns, exchange, options, known)
    return replace(made, signature=replace(made.signature, version=version))


def _columns(told: Mapping[str, str]) -> list[Column]:
    return [Column(str(name), str(type_)) for name, type_ in told.items()]
