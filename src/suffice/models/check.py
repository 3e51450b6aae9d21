"""Whether what a model returned is what it declared: run on every output row, whoever wrote the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.errors import ModelError
from suffice.models.column_type import CastError, column_cast, wrong
from suffice.models.protocol import Row, Signature


def check_rows(signature: Signature, rows: Sequence[Any]) -> list[Row]:
    """The output `rows` of one input as tuples of plain Python values of the declared types.

    Raises:
        ModelError: not a list of rows, not exactly one row from a scalar model, too few or too many columns,
            or a value of another type; the message names the model, the row, the column, expected and got.
    """
    if not isinstance(rows, (list, tuple)):
        raise ModelError(f"{signature.name}: {wrong('a list of rows', rows)}")
    if signature.returns == "scalar" and len(rows) != 1:
        raise ModelError(f"{signature.name}: expected exactly one row for an input (it is scalar), got {len(rows)}")
    if signature.rows_max is not None and len(rows) > signature.rows_max:
        raise ModelError(f"{signature.name}: {len(rows)} rows for an input, it declares at most {signature.rows_max}")
    return [_checked(signature, index, row) for index, row in enumerate(rows)]


def _checked(signature: Signature, index: int, row: Any) -> Row:
    columns = signature.outputs
    if not isinstance(row, (tuple, list)) or len(row) != len(columns):
        names = ", ".join(column.name for column in columns)
        raise ModelError(f"{signature.name}, row {index}: {wrong(f'{len(columns)} columns ({names})', row)}")
    values = []
    for column, value in zip(columns, row, strict=True):
        try:
            values.append(column_cast(column.type)(value))
        except CastError as error:
            raise ModelError(f"{signature.name}, row {index}, column {column.name!r}: {error}") from None
        _check_range(signature, index, column.name, values[-1])
    return tuple(values)


def _check_range(signature: Signature, index: int, column: str, value: Any) -> None:
    low, high = signature.ranges.get(column, (None, None))
    if low is not None and value is not None and not low <= value <= high:
        raise ModelError(
            f"{signature.name}, row {index}, column {column!r}: {value!r}, declared to lie in [{low:g}, {high:g}]"
        )
