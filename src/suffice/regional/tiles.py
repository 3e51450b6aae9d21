"""A latent cut into square tiles, and the same tiles on every coarser feature map of the UNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TileGrid:
    """`rows` × `columns` tiles of `tile` × `tile` cells, numbered row by row."""

    height: int
    width: int
    tile: int

    def __post_init__(self) -> None:
        if self.tile < 1 or self.height % self.tile or self.width % self.tile:
            fitting = [t for t in range(2, min(self.height, self.width) + 1) if not (self.height % t or self.width % t)]
            hint = f"; these do: {', '.join(map(str, fitting))}" if fitting else ""
            raise UsageError(f"tiles of {self.tile} do not divide a latent of {self.height}×{self.width}{hint}")

    @property
    def rows(self) -> int:
        return self.height // self.tile

    @property
    def columns(self) -> int:
        return self.width // self.tile

    @property
    def count(self) -> int:
        return self.rows * self.columns

    def scaled(self, height: int) -> TileGrid:
        """The same tiles on a feature map `height` cells high. Raises :class:`UsageError` when a tile is cut."""
        tile, rest = divmod(self.tile * height, self.height)
        if rest or not tile:
            raise UsageError(f"tiles of {self.tile} on a latent {self.height} high are cut on a map {height} high")
        return TileGrid(height, self.width * height // self.height, tile)

    def of_tokens(self, tokens: int) -> TileGrid:
        """The grid of a feature map with `tokens` cells."""
        return self.scaled(round(self.height * (tokens / (self.height * self.width)) ** 0.5))

    def cut(self, maps: Tensor) -> Tensor:
        """Maps ``[b, c, height, width]`` as tiles ``[b, tiles, c, tile, tile]``."""
        batch, channels = maps.shape[:2]
        split = maps.reshape(batch, channels, self.rows, self.tile, self.columns, self.tile)
        return split.permute(0, 2, 4, 1, 3, 5).reshape(batch, self.count, channels, self.tile, self.tile)

    def joined(self, tiles: Tensor) -> Tensor:
        """The reverse of :meth:`cut`."""
        batch, _, channels = tiles.shape[:3]
        split = tiles.reshape(batch, self.rows, self.columns, channels, self.tile, self.tile)
        return split.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels, self.height, self.width)

    def windows(self, padded: Tensor, halo: int) -> Tensor:
        """A view ``[b, c, rows, columns, t + 2·halo, t + 2·halo]`` of maps that carry `halo` cells around."""
        size = self.tile + 2 * halo
        return padded.unfold(2, size, self.tile).unfold(3, size, self.tile)

    def places(self, active: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns of the tiles `active`."""
        return active // self.columns, active % self.columns
