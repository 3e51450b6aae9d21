"""What every operator is told about the pass it is part of: which tiles run, what is kept of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from suffice.errors import SufficeError

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.tiles import TileGrid


class StaleCacheError(SufficeError):
    """Tiles were asked for before a pass over all of them."""


class Exchange(Protocol):
    """How the tiles of other workers reach the caches of this one (see ``suffice.regional.exchange``)."""

    def halo(self, layer: str, padded: Tensor, grid: TileGrid, halo: int) -> None:
        """Called when the active tiles are written to `padded`, before their surroundings are read."""

    def tokens(self, layer: str, key: Tensor, value: Tensor) -> None:
        """Called when the active rows of keys and values ``[b, tiles, tokens, channels]`` are written."""

    def moments(self, layer: str, table: Tensor) -> None:
        """Called when the active rows of the moments ``[b, tiles, groups, 2]`` are written."""


class Alone:
    """The exchange of an engine that holds every tile itself."""

    def halo(self, layer: str, padded: Tensor, grid: TileGrid, halo: int) -> None:
        """Nothing to bring."""

    def tokens(self, layer: str, key: Tensor, value: Tensor) -> None:
        """Nothing to bring."""

    def moments(self, layer: str, table: Tensor) -> None:
        """Nothing to bring."""


@dataclass
class Cache:
    """What one request keeps between its steps, by layer name: memory grows with requests in flight."""

    tensors: dict[str, Tensor] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())


@dataclass
class Frame:
    """One pass through the UNet.

    `active` is None for a dense pass, which runs the UNet's own layers and fills the cache on its way; else it holds
    the sorted numbers of the tiles that run, and every map is ``[b·active, c, t, t]``, tiles of one picture together.
    `latents` is the network's whole input. `fresh`: all tiles run now, here or at other workers, so nothing need be
    kept from before.
    """

    grid: TileGrid
    batch: int
    cache: Cache
    active: Tensor | None = None
    latents: Tensor | None = None
    fresh: bool = False
    exchange: Exchange = field(default_factory=Alone)
    recorder: Any = None

    @property
    def active_count(self) -> int:
        return self.grid.count if self.active is None else len(self.active)

    def kept(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """What the cache holds by this name; room for it when everything is about to be written."""
        if name not in self.cache.tensors:
            if not self.fresh:
                raise StaleCacheError(f"nothing is kept of {name}: some tiles can run only after all of them did")
            self.cache.tensors[name] = like.new_zeros(shape)
        return self.cache.tensors[name]


class Stage:
    """Where installed operators look up the frame of the pass that runs now; without one they stand aside."""

    frame: Frame | None = None
