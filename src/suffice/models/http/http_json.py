"""``http:URL``: any JSON endpoint, by templates; without templates, the shape of suffice's own model service.

Without any columns the service is asked for them (:mod:`suffice.models.http.service_model`). With columns, its shape is
what is spoken: ``{"inputs": [{column: value, …}, …]}`` goes there (a picture is its JPEG in base64), and
``{"outputs": [[{column: value, …}, …] or {"error": "why"}, …]}`` comes back, one element an input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from suffice.errors import ModelError, UsageError
from suffice.models.http.assemble import Columns, Endpoint, assemble
from suffice.models.http.columns import from_json, input_columns, parse_columns
from suffice.models.http.http_client import Request, need_http_extra
from suffice.models.http.http_model import Exchange, HttpModel
from suffice.models.http.jpeg import encode_jpeg
from suffice.models.http.keys import bearer
from suffice.models.http.options import COMMON, MAX_SIDE_PX
from suffice.models.http.service_exchange import ServiceExchange
from suffice.models.http.service_model import service_model
from suffice.models.http.template import fields_of, fill_json, parts_of_json
from suffice.models.options import Option, one_of, parsed_json, read_options
from suffice.models.plain import plain
from suffice.models.protocol import IMAGE, Column, Row

REVISION = 1
OPTIONS = {
    "inputs": Option(kind=str),
    "outputs": Option(kind=str, in_version=True),
    "request": Option(kind=str, in_version=True),
    "rows": Option(kind=str, in_version=True),
    "returns": Option("rows", kind=one_of(("rows", "scalar")), in_version=True),
    "method": Option("POST", kind=one_of(("POST", "PUT", "GET"))),
    "headers": Option(kind=dict),
    "max_side_px": MAX_SIDE_PX,
    "batch_size": Option(low=1, kind=int),
    **COMMON,
}


def runner(name: str, locator: str, **options: Any) -> HttpModel:
    """A model behind a JSON endpoint.

    With `request` (JSON with ``{column}`` placeholders) every input is a request, `rows` is a JMESPath expression
    for the output rows in the answer, and each output column may have one for its value in a row
    (``'label VARCHAR = class.name'``). Without it, `batch_size` (8) inputs go in the shape of suffice's service.
    """
    need_http_extra()
    where = f"model {name}"
    known = read_options(where, OPTIONS, options)
    headers = {**(known["headers"] or {}), **(bearer(known["api_key_env"]) if known["api_key_env"] else {})}
    url = "http:" + locator if locator.startswith("//") else locator
    if _asks_service(where, known):
        return service_model(name, url, headers, known, OPTIONS)
    template = None if known["request"] is None else parsed_json(f"{where}: request", known["request"])
    outputs = parse_columns(f"{where}: outputs", known["outputs"], ("JSON",))
    fields = fields_of(parts_of_json(f"{where}: request", template))
    inputs = input_columns(f"{where}: request", fields, known["inputs"])
    _check(where, known, inputs, outputs)
    columns = Columns(inputs, [column for column, _ in outputs], known["returns"])
    arguments = Arguments(inputs, known["max_side_px"])
    exchange: Exchange
    if template is None:
        known["batch_size"] = known["batch_size"] or 8
        exchange = ServiceExchange(tuple(columns.outputs), arguments.named, lambda pieces: {"inputs": list(pieces)})
    else:
        paths = [(column, _path(where, path or column.name)) for column, path in outputs]
        exchange = MappedExchange(arguments, template, _path(where, known["rows"] or "@"), paths)
    endpoint = Endpoint("http", REVISION, url, headers=headers, method=known["method"])
    return assemble(name, endpoint, columns, exchange, known, OPTIONS)


@dataclass(frozen=True)
class Arguments:
    """Input values under the names of their columns, as JSON can carry them."""

    columns: Sequence[Column]
    max_side_px: int | None

    def named(self, inputs: Sequence[Any]) -> dict[str, Any]:
        """Pictures become the base64 of their JPEG."""
        return {
            name: encode_jpeg(value, self.max_side_px).base64 if type_ == IMAGE else plain(value)
            for (name, type_), value in zip(self.columns, inputs, strict=True)
        }


@dataclass(frozen=True)
class MappedExchange:
    """A request template, and JMESPath expressions for the rows of the answer and the columns of a row."""

    arguments: Arguments
    template: Any
    rows_path: Callable[[Any], Any]
    column_paths: Sequence[tuple[Column, Callable[[Any], Any]]]

    def piece(self, *inputs: Any) -> Any:
        return fill_json(self.template, self.arguments.named(inputs))

    def request(self, pieces: Sequence[Any]) -> Request:
        return Request(pieces[0])

    def usage(self, answer: Any) -> None:
        return None

    def split(self, answer: Any, count: int) -> list[Any]:
        found = self.rows_path(answer)
        # Nothing at the path is a wrong path, not an answer of no rows: that would be remembered as one.
        if found is None:
            raise ModelError("the rows path finds nothing")
        return [found]

    def rows(self, part: Any, piece: Any) -> list[Row]:
        return [self._row(item) for item in (part if isinstance(part, list) else [part])]

    def _row(self, item: Any) -> Row:
        values = [(column, path(item)) for column, path in self.column_paths]
        if all(value is None for _, value in values):
            raise ModelError(f"no output column is found in the row {str(item)[:80]}")
        return tuple(None if value is None else from_json(name, type_, value) for (name, type_), value in values)


def _asks_service(where: str, options: dict[str, Any]) -> bool:
    """Whether nothing is said of columns, so that the service has to say it."""
    if options["outputs"] is not None:
        return False
    given = [name for name in ("inputs", "request", "rows", "max_side_px") if options[name] is not None]
    if given:
        raise UsageError(f"{where}: option outputs is needed beside {given[0]}, such as outputs => 'label VARCHAR'")
    return True


def _check(
    where: str, options: dict[str, Any], inputs: Sequence[Column], outputs: Sequence[tuple[Column, str]]
) -> None:
    if not inputs:
        raise UsageError(f"{where}: name its columns, as in inputs => 'text VARCHAR' or {{text}} in request")
    if options["request"] is None and (options["rows"] or any(path for _, path in outputs)):
        raise UsageError(f"{where}: paths into the answer go with a request template")
    if options["request"] is not None and (options["batch_size"] or 1) > 1:
        raise UsageError(f"{where}: a request template holds one input, so batch_size is 1")
    if options["method"] == "GET" and not str(options["request"]).lstrip().startswith("{"):
        raise UsageError(f"{where}: GET needs a request template, a flat JSON object of query parameters")


def _path(where: str, expression: str) -> Callable[[Any], Any]:
    import jmespath

    try:
        return jmespath.compile(expression).search
    except jmespath.exceptions.JMESPathError as error:
        raise UsageError(f"{where}: path {expression!r}: {' '.join(str(error).split())}") from None
