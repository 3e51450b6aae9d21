"""Bodies of requests to what a model takes: JSON, an Arrow stream whose pictures are pixels, or one image file."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from suffice.errors import MediaError, ModelError, nearest
from suffice.models.http.arrow_rows import MEDIA_TYPE, unpack_rows
from suffice.models.protocol import IMAGE, Image, Model, Signature
from suffice.serve.problems import HttpError

INPUTS_MAX = 256


class Inputs(BaseModel):
    """Input rows, each an object of column to value; a picture is the base64 of an image file."""

    inputs: list[dict[str, Any]] = Field(min_length=1, max_length=INPUTS_MAX)


BODIES: dict[str, Any] = {
    "application/json": {"schema": Inputs.model_json_schema()},
    MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
    "image/*": {"schema": {"type": "string", "format": "binary"}},
}
"""For the OpenAPI document."""


def read_inputs(signature: Signature, content_type: str, body: bytes) -> list[dict[str, Any]]:
    """Input rows by the names of their columns.

    Raises:
        HttpError: 422, the body is not what its type says, or holds no input or too many.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == MEDIA_TYPE:
        return _counted(unpack_rows(signature.inputs, body))
    if kind.startswith("image/") and len(signature.inputs) == 1:
        return [{signature.inputs[0].name: body}]
    try:
        return Inputs.model_validate_json(body).inputs
    except ValidationError as error:
        first = error.errors()[0]
        raise HttpError(422, f"{'.'.join(map(str, ('body', *first['loc'])))}: {first['msg']}") from None


def _counted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not 0 < len(rows) <= INPUTS_MAX:
        raise HttpError(422, f"a request has 1 to {INPUTS_MAX} inputs, not {len(rows)}")
    return rows


def prepared_input(model: Model, values: Mapping[str, Any]) -> Any:
    """One input row, decoded and prepared; a picture is pixels, an image file, or the base64 of one.

    Returns:
        What :meth:`Model.predict` takes, or the exception this input alone met.
    """
    try:
        return model.prepare(*(_argument(column.name, column.type, values) for column in model.signature.inputs))
    except Exception as error:
        return error


def _argument(name: str, type_: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise ModelError(f"the input has no {name!r}{nearest(name, values)}")
    value = values[name]
    return _picture(name, value) if type_ == IMAGE and not hasattr(value, "shape") else value


def _picture(name: str, value: Any) -> Image:
    from suffice.media.image import decode_image

    if isinstance(value, bytes):
        return decode_image(io.BytesIO(value))
    if not isinstance(value, str):
        raise MediaError(f"{name} is a picture: the base64 of an image file")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise MediaError(f"{name} is not base64") from None
    return decode_image(io.BytesIO(data))
