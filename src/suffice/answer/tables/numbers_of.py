"""A column of a result as numpy: ``to_numpy`` of pyarrow imports pandas for it, where that is installed, for 250 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


def numbers_of(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """Integers or floats, not to be written to."""
    column = table.column(name)
    if not len(column) or column.null_count:
        return np.asarray(column.to_pylist(), np.float64)
    return np.from_dlpack(column.combine_chunks())
