"""JSON inputs to what a model takes."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from typing import Any

from suffice.errors import MediaError, ModelError, nearest
from suffice.models.protocol import IMAGE, Image, Model


def prepared_input(model: Model, values: Mapping[str, Any]) -> Any:
    """One input row, decoded and prepared; a picture is the base64 of an image file.

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
    return _picture(name, values[name]) if type_ == IMAGE else values[name]


def _picture(name: str, value: Any) -> Image:
    from suffice.media.image import decode_image

    if not isinstance(value, str):
        raise MediaError(f"{name} is a picture: the base64 of an image file")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise MediaError(f"{name} is not base64") from None
    return decode_image(io.BytesIO(data))
