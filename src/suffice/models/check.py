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
    return tuple(values)
