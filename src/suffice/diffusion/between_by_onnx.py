"""Frames between frames by a network: RIFE, FILM and their kin as ONNX graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from suffice.errors import ModelError, UsageError
from suffice.media.image import Image
from suffice.models.onnx_session import OnnxSession, Tensor
from suffice.models.roots import check_readable

MULTIPLE_PX = 32


class OnnxBetween:
    """A graph of two pictures, ``[1, 3, height, width]`` from 0 to 1, and maybe of a share of the time between them.

    The first two inputs with four dimensions are the pictures, in their order; a third input is the share, in whatever
    shape it has. A graph without one gives the middle, and the middle of the halves, and so on.

    Args:
        path: the ``.onnx`` file.
    """

    def __init__(self, path: str) -> None:
        file = Path(path).expanduser()
        if not file.is_file():
            raise UsageError(f"onnx:{path}: there is no such file")
        check_readable(f"onnx:{path}", file)
        self.name = f"onnx:{path}"
        self._session = OnnxSession(file)

    def __call__(self, first: Image, second: Image, count: int) -> list[Image]:
        """`count` frames between two, evenly in time.

        Raises:
            UsageError: the graph knows the middle only, and `count` + 1 is no power of two.
        """
        pictures, share = self._inputs()
        if share is not None:
            shares = (number / (count + 1) for number in range(1, count + 1))
            return [self._run(pictures, first, second, {share.name: _as_input(share, each)}) for each in shares]
        if count & (count + 1):
            raise UsageError(f"{self.name} gives the middle of two frames: interpolate by 2, 4 or 8, not {count + 1}")
        return self._halves(pictures, first, second, count)

    def _halves(self, pictures: list[str], first: Image, second: Image, count: int) -> list[Image]:
        if count == 0:
            return []
        middle = self._run(pictures, first, second, {})
        before, after = (self._halves(pictures, *pair, count // 2) for pair in ((first, middle), (middle, second)))
        return [*before, middle, *after]

    def _inputs(self) -> tuple[list[str], Any]:
        inputs = self._session.inputs()
        pictures = [node.name for node in inputs if len(node.shape) == 4][:2]
        others = [node for node in inputs if node.name not in pictures]
        if len(pictures) != 2 or len(others) > 1:
            raise ModelError(f"{self.name} takes {', '.join(n.name for n in inputs)}, not two pictures and a time")
        return pictures, (others[0] if others else None)

    def _run(self, pictures: list[str], first: Image, second: Image, more: dict[str, Tensor]) -> Image:
        height, width = first.shape[:2]
        fed = dict(zip(pictures, map(_as_planes, (first, second)), strict=True))
        (planes, *_) = self._session.run({**fed, **more}).values()
        pixels = np.asarray(planes, np.float32)[0, :3, :height, :width].transpose(1, 2, 0)
        return np.asarray((pixels * 255).round().clip(0, 255), np.uint8)


def _as_planes(image: Image) -> Tensor:
    """Its edges repeated up to a multiple of :data:`MULTIPLE_PX`, as such networks want."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % MULTIPLE_PX), (0, -width % MULTIPLE_PX), (0, 0)), mode="edge")
    return (padded.transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32)


def _as_input(node: Any, share: float) -> Tensor:
    sides = [side if isinstance(side, int) else 1 for side in node.shape]
    return np.full(sides, share, np.float32)
