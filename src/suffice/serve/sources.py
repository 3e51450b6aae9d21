"""Pictures that a request names: by reference, by path below the roots, or sent along."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from suffice.errors import UsageError
from suffice.serve.lanes import Lanes

if TYPE_CHECKING:
    from suffice.models.protocol import Image


class Source(BaseModel):
    """A picture: one of the three."""

    ref: str | None = Field(default=None, max_length=300, description="An image reference, as answers have them.")
    path: str | None = Field(default=None, max_length=4096, description="A file below the server's roots.")
    data: str | None = Field(default=None, description="The base64 of an image file.")

    def pixels(self, lanes: Lanes) -> Image:
        """Decode it.

        Raises:
            UsageError: none or several are given, or the path is outside the roots; MediaError: it is no picture.
        """
        from suffice.media.image import decode_image

        if sum(each is not None for each in (self.ref, self.path, self.data)) != 1:
            raise UsageError("a picture is named by exactly one of ref, path and data")
        if self.ref is not None:
            return lanes.get().image(self.ref)
        if self.path is not None:
            return decode_image(str(inside_roots(self.path, lanes.settings.roots)))
        try:
            return decode_image(io.BytesIO(base64.b64decode(self.data or "", validate=True)))
        except (binascii.Error, ValueError):
            raise UsageError("data is not base64") from None


def inside_roots(path: str, roots: tuple[Path, ...]) -> Path:
    """`path` with links resolved; raises :class:`UsageError` when it is outside `roots`."""
    if "\0" in path:
        raise UsageError("a path has no zero bytes")
    try:
        found = Path(path).expanduser()
        found = (found if found.is_absolute() else roots[0] / found).resolve()
    except (RuntimeError, OSError) as error:  # somebody's home who is not there, a loop of links
        raise UsageError(f"{path[:200]} is no path: {error}") from None
    if not any(found.is_relative_to(root.resolve()) for root in roots):
        raise UsageError(f"{path[:200]} is outside the folders this server reads")
    return found
