"""What the planner and the workers say to each other; arrays are NumPy, so that a message outlives its sender."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from suffice.regional.tiles import TileGrid

Tiles = tuple[int, ...]


@dataclass(frozen=True)
class Join:
    """Meet the others: `ranks` are numbered from 0; `epoch` grows when lost workers are replaced."""

    epoch: int
    rank: int
    ranks: int
    port: int


@dataclass(frozen=True)
class Told:
    """A :class:`~suffice.regional.denoiser.Condition` as arrays."""

    text: NDArray[Any]
    added: dict[str, NDArray[Any]] | None = None
    hint: NDArray[Any] | None = None
    strength: float = 1.0
    frames: int = 1


@dataclass(frozen=True)
class Begin:
    """A request: the tiles of its latents, what the networks are told, and which each rank owns from `step` on."""

    request: int
    grid: TileGrid
    told: Told
    owned: tuple[Tiles, ...]
    step: int = 0


@dataclass(frozen=True)
class Step:
    """One step: which tiles each rank runs. `sync`: every layer waits for the others' part. `fresh`: all tiles run."""

    request: int
    step: int
    time: Any
    latents: NDArray[Any]
    tiles: tuple[Tiles, ...]
    sync: bool
    fresh: bool


@dataclass(frozen=True)
class Warm:
    """One warm-up step, whole, by whoever gets it. `record`: send back where the words look."""

    request: int
    step: int
    time: Any
    latents: NDArray[Any]
    record: bool
    grid: TileGrid
    told: Told


@dataclass(frozen=True)
class End:
    """Forget a request."""

    request: int


@dataclass(frozen=True)
class Abort:
    """Someone is lost: drop what runs, keep the network."""

    epoch: int


@dataclass(frozen=True)
class Stop:
    """Leave."""


@dataclass(frozen=True)
class Ready:
    """A worker has its network."""

    pid: int


@dataclass(frozen=True)
class Joined:
    """A worker has met the others."""

    epoch: int


@dataclass(frozen=True)
class Done:
    """The noise of a rank's tiles (of all tiles after :class:`Warm`), and what it took; waited_s: for others."""

    request: int
    step: int
    noise: NDArray[Any]
    seconds: float
    flops: int
    waited_s: float = 0.0
    bytes_sent: int = 0
    bytes_by_kind: dict[str, int] = field(default_factory=dict)
    attention: dict[int, tuple[NDArray[Any], int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Aborted:
    """A worker dropped what it did, or could not go on because a peer is gone."""

    epoch: int


@dataclass(frozen=True)
class Failed:
    """A worker met an error of its own."""

    message: str
