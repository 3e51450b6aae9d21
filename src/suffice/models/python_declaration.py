"""What is known of a Python function that is to be a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_type_hints

import numpy as np

from suffice.errors import UsageError
from suffice.models.annotation import OUTPUT_NAME, Returned, array_kind, batch_item, column_type, returned
from suffice.models.column_type import column_cast
from suffice.models.protocol import Column

Columns = str | Sequence[str] | Mapping[str, str]


@dataclass(frozen=True)
class Declaration:
    """What the author says; what is None comes from the annotations.

    Attributes:
        inputs: types of the arguments, in order, or name to type.
        outputs: one type, or column name to type.
        returns: ``scalar`` or ``rows``.
        batch: whether the function takes columns (a list or array an argument) and gives a result an input.
        version: changes when the same input could give another output; by default
            :func:`~suffice.models.code_version.code_version`.
        batch_size, concurrency, cost_s, price, rows_max, ranges: as in :class:`~suffice.models.protocol.Signature`.
    """

    inputs: Columns | None = None
    outputs: Columns | None = None
    returns: Literal["scalar", "rows"] | None = None
    batch: bool = False
    version: str | None = None
    batch_size: int = 32
    concurrency: int = 1
    cost_s: float = 0.001
    price: float = 0.0
    rows_max: int | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class Shape(NamedTuple):
    """Columns in and out of a function, and how its arguments and results are packed.

    `arrays` has, for each input of a batch function, the dtype of the array it wants, or None for a list.
    """

    inputs: tuple[Column, ...]
    result: Returned
    arrays: tuple[np.dtype[Any] | None, ...]
    defaults: Mapping[str, Any]


def read_shape(function: Callable[..., Any], name: str, declared: Declaration) -> Shape:
    """The shape of `function`: parameters without a default are inputs, those with one are options.

    Raises:
        UsageError: a parameter or the result has no type that is a column's; the message names it.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(f"{name} is async, and models are called from plain threads: give a plain function")
    hints = _hints(function, name, declared)
    parameters = list(inspect.signature(function).parameters.values())
    required = [each for each in parameters if each.default is each.empty and _is_positional(each)]
    for each in parameters:
        if each.default is each.empty and not _is_positional(each):
            raise UsageError(f"{name}: parameter {each.name!r} must be positional, as columns are")
    if not required:
        raise UsageError(f"{name} takes no input: it needs a parameter without a default")
    names = [each.name for each in required]
    given = declared_columns(name, "inputs", declared.inputs, names)
    if given and len(given) != len(names):
        listed = ", ".join(names)
        raise UsageError(f"{name}: inputs declares {len(given)} columns for {len(names)} parameters ({listed})")
    inputs = given or tuple(_input(name, each, hints.get(each), declared.batch) for each in names)
    arrays = tuple(array_kind(hints.get(each)) if declared.batch else None for each in names)
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    return Shape(inputs, _result(function, name, hints.get("return"), declared), arrays, defaults)


def declared_columns(where: str, what: str, given: Columns | None, names: Sequence[str]) -> tuple[Column, ...]:
    """Columns from types (named after `names`) or from a mapping of name to type; every type is checked."""
    if given is None:
        return ()
    if isinstance(given, str):
        given = [given]
    pairs = given.items() if isinstance(given, Mapping) else zip((*names, *map(str, range(len(given)))), given)  # noqa: B905
    columns = tuple(Column(name, kind) for name, kind in pairs)
    for column in columns:
        try:
            column_cast(column.type)
        except UsageError as error:
            raise UsageError(f"{where}, {what}: {error}") from None
    return columns


def _hints(function: Callable[..., Any], name: str, declared: Declaration) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError) as error:
        if declared.inputs is not None and declared.outputs is not None:
            return {}
        raise UsageError(f"{name}: its annotations cannot be read ({error}); give inputs= and outputs=") from None


def _is_positional(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def _input(name: str, parameter: str, hint: Any, batch: bool) -> Column:
    kind = column_type(batch_item(hint) if batch else hint)
    if kind is None:
        said = "has no annotation" if hint is None else f"is annotated {hint}"
        wanted = "a list of what is a column's, as batch=True" if batch else "a column's"
        raise UsageError(f"{name}: parameter {parameter!r} {said}, which is not {wanted} type; give inputs=")
    return Column(parameter, kind)


def _result(function: Callable[..., Any], name: str, hint: Any, declared: Declaration) -> Returned:
    found = returned(batch_item(hint) if declared.batch else hint) if hint is not None else None
    columns = declared_columns(name, "outputs", declared.outputs, [OUTPUT_NAME])
    if columns:
        by_name = found.returns if found else "rows" if inspect.isgeneratorfunction(function) else "scalar"
        listed = isinstance(declared.outputs, Mapping) and getattr(hint, "__origin__", None) is list
        guess: Literal["scalar", "rows"] = "rows" if by_name == "rows" or (listed and not declared.batch) else "scalar"
        return Returned(columns, declared.returns or guess, len(columns) > 1)
    if found is None:
        said = "is not annotated" if hint is None else f"is annotated {hint}"
        raise UsageError(f"{name}: its result {said}, which gives no columns; give outputs=")
    return found._replace(returns=declared.returns or found.returns)
