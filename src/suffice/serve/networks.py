"""Networks that a request names: those that ship, or checkpoints below the server's roots."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field

from suffice.errors import UsageError
from suffice.serve.problems import HttpError
from suffice.serve.settings import Role
from suffice.serve.sources import inside_roots

if TYPE_CHECKING:
    from suffice.masks.backend import Finder, Segmenter

NAME = r"^(default(:\w+)?|hf:.+|onnx:.+)$"
Name = Annotated[str, Field(max_length=1000, pattern=NAME)]


class Networks(BaseModel):
    """Which segmenter and which finder answer."""

    model: Name = Field(default="default", description="default, default:fast, hf:FOLDER or onnx:ENCODER,DECODER.")
    finder: Name = Field(default="default", description="default or hf:FOLDER.")

    def check_role(self, role: Role) -> None:
        """Networks of one's own are an admin's to run; raises :class:`HttpError` for others."""
        if role < Role.ADMIN and not all(name.startswith("default") for name in (self.model, self.finder)):
            raise HttpError(403, "models of one's own need the role admin; default and default:fast do not")

    def made_segmenter(self, roots: tuple[Path, ...]) -> Segmenter:
        """Raises :class:`UsageError`: it is outside `roots`, or none."""
        from suffice.masks.names import segmenter_named

        return segmenter_named(within(self.model, roots))

    def made_finder(self, roots: tuple[Path, ...]) -> Finder:
        """Raises :class:`UsageError`: it is outside `roots`, or none."""
        from suffice.masks.names import finder_named

        return finder_named(within(self.finder, roots))


def within(name: str, roots: tuple[Path, ...]) -> str:
    """`name` with its files in full; a caller can have nothing downloaded.

    Raises:
        UsageError: a file or folder of it is outside `roots`, or is not there.
    """
    kind, _, locator = name.partition(":")
    if kind not in ("hf", "onnx"):
        return name
    parts = locator.split(",") if kind == "onnx" else [locator]
    paths = [inside_roots(part, roots) for part in parts]
    for part, path in zip(parts, paths, strict=True):
        if not os.path.exists(path):  # a name too long is just not there
            raise UsageError(f"{name[:200]}: there is no {part[:200]!r} in the folders this server reads")
    return f"{kind}:{','.join(map(str, paths))}"
