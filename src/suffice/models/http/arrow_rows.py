"""Input rows as one Arrow stream: pictures as their pixels, so that nothing is lost or encoded twice on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suffice.errors import MediaError, ModelError
from suffice.models.http.jpeg import check_image
from suffice.models.protocol import IMAGE, Column, Image

MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def pack_rows(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows of the values of `columns`; a picture is ``{height, width, rgb}``, its bytes row by row.

    Raises:
        ModelError: a value that is no picture where one should be, or that Arrow has no type for.
    """
    import pyarrow as pa

    try:
        arrays = [_array(column, [row[i] for row in rows]) for i, column in enumerate(columns)]
        batch = pa.record_batch(arrays, names=[column.name for column in columns])
    except pa.ArrowException as error:
        raise ModelError(f"inputs that do not go into Arrow: {str(error).splitlines()[0]}") from None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def unpack_rows(columns: Sequence[Column], data: bytes) -> list[dict[str, Any]]:
    """What was packed, each row by the names of its columns; pictures read `data` where it is.

    Raises:
        MediaError: `data` is no such stream.
    """
    import pyarrow as pa

    pictures = {column.name for column in columns if column.type == IMAGE}
    try:
        table = pa.ipc.open_stream(pa.py_buffer(data)).read_all()
        table.validate(full=True)
        values = {
            name: _pictures(table.column(name)) if name in pictures else table.column(name).to_pylist()
            for name in table.column_names
        }
    except (pa.ArrowException, OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise MediaError(f"the body is no Arrow stream of inputs: {said[0][:200]}") from None
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _array(column: Column, values: list[Any]) -> Any:
    import pyarrow as pa

    if column.type != IMAGE:
        return pa.array(values)
    for value in values:
        check_image(value)
    sizes = [pa.array([value.shape[side] for value in values], pa.int32()) for side in (0, 1)]
    rgb = pa.array([np.ascontiguousarray(value).data.cast("B") for value in values], pa.large_binary())
    return pa.StructArray.from_arrays([*sizes, rgb], ["height", "width", "rgb"])


def _pictures(column: Any) -> list[Image]:
    return [_picture(value) for chunk in column.chunks for value in chunk]


def _picture(value: Any) -> Image:
    height, width = value["height"].as_py(), value["width"].as_py()
    if height < 1 or width < 1:
        raise ValueError(f"a picture of {width} x {height}")
    return np.frombuffer(value["rgb"].as_buffer(), np.uint8).reshape(height, width, 3)
