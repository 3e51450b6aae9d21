"""The exchange of one step between workers: halos to neighbours, keys, values and moments to all, nothing from a rest.

In a ``sync`` step every layer sends its part at once and waits for the part of those that run too: the same picture as
one process makes. Else parts are collected in flat buffers and a layer reads what the others computed in the step
before (DistriFusion, arXiv:2402.19481); the buffers of a step are waited for when the next one starts, so nothing is
older than one step of its owner.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from suffice.regional.workers.mailbox import BATCH, KINDS, Key, Mailbox
from suffice.regional.workers.shared_cells import shared_cells

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Cache
    from suffice.regional.tiles import TileGrid

Tiles = tuple[int, ...]
HALO, TOKENS, MOMENTS = range(len(KINDS))


@dataclass
class Holding:
    """What a worker keeps of one request. ran: of each step the tiles each rank ran."""

    grid: TileGrid
    batch: int
    owned: tuple[Tiles, ...]
    cache: Cache
    layers: dict[str, int]
    names: list[str]
    ran: dict[int, tuple[Tiles, ...]] = field(default_factory=dict)
    halos: dict[str, int] = field(default_factory=dict)


class PeerExchange:
    """:class:`suffice.regional.frame.Exchange` over a mailbox, for one step."""

    def __init__(self, mail: Mailbox, holding: Holding, request: int, step: int, sync: bool) -> None:
        self.mail, self.holding, self.request, self.step, self.sync = mail, holding, request, step, sync
        self.mine = holding.ran[step][mail.rank]
        self.sharing = [peer for peer in mail.peers if holding.owned[peer]]
        self.running = [peer for peer in self.sharing if holding.ran[step][peer]]
        self._waiting: dict[int, list[tuple[int, int, Tensor]]] = defaultdict(list)

    def catch_up(self) -> None:
        """Take in what others computed in earlier steps."""
        for step, tiles in self.holding.ran.items():
            for peer in self.sharing:
                if step < self.step and tiles[peer]:
                    self.mail.wait_finished(self.request, step, peer)
        for key, payload in self.mail.take_older(self.request, self.step):
            if key.step in self.holding.ran:  # else it was under way when the regions were shared out anew
                self._apply(key, payload)
        self.holding.ran = {step: tiles for step, tiles in self.holding.ran.items() if step >= self.step}

    def finish(self) -> None:
        """Send what still waits, and that this was all."""
        for peer in self.sharing:
            self.mail.send(peer, self.request, self.step, self._waiting.pop(peer, []), last=True)

    def halo(self, layer: str, padded: Tensor, grid: TileGrid, halo: int) -> None:
        self.holding.halos[layer] = halo
        inner = padded[:, :, halo : halo + grid.height, halo : halo + grid.width]
        sources = []
        for peer in self.sharing:
            rows, columns = shared_cells(grid, self.mine, self.holding.owned[peer], halo)
            if len(rows):
                self._send(peer, layer, HALO, inner[:, :, rows, columns])
            if len(shared_cells(grid, self.holding.ran[self.step][peer], self._own, halo)[0]):
                sources.append(peer)
        self._receive(layer, HALO, sources)

    def tokens(self, layer: str, key: Tensor, value: Tensor) -> None:
        import torch

        mine = list(self.mine)
        for peer in self.sharing:
            self._send(peer, layer, TOKENS, torch.stack([key[:, mine], value[:, mine]]))
        self._receive(layer, TOKENS, self.running)

    def moments(self, layer: str, table: Tensor) -> None:
        for peer in self.sharing:
            self._send(peer, layer, MOMENTS, table[:, list(self.mine)])
        self._receive(layer, MOMENTS, self.running)

    @property
    def _own(self) -> Tiles:
        return self.holding.owned[self.mail.rank]

    def _send(self, peer: int, layer: str, kind: int, tensor: Tensor) -> None:
        waiting = self._waiting[peer]
        waiting.append((self.holding.layers[layer], kind, tensor.clone()))
        if self.sync or len(waiting) >= BATCH:
            self.mail.send(peer, self.request, self.step, self._waiting.pop(peer), last=False)

    def _receive(self, layer: str, kind: int, sources: list[int]) -> None:
        if not self.sync:
            return
        for source in sources:
            key = Key(self.request, self.step, source, self.holding.layers[layer], kind)
            self._apply(key, self.mail.take(key))

    def _apply(self, key: Key, payload: Tensor) -> None:
        layer, tiles = self.holding.names[key.layer], self.holding.ran[key.step][key.source]
        write = (self._write_halo, self._write_tokens, self._write_moments)[key.kind]
        write(layer, tiles, payload)

    def _write_halo(self, layer: str, tiles: Tiles, payload: Tensor) -> None:
        padded, halo = self.holding.cache.tensors[layer], self.holding.halos[layer]
        grid = self.holding.grid.scaled(padded.shape[2] - 2 * halo)
        rows, columns = shared_cells(grid, tiles, self._own, halo)
        values = _as(payload, padded).reshape(*padded.shape[:2], len(rows))
        padded[:, :, rows + halo, columns + halo] = values

    def _write_tokens(self, layer: str, tiles: Tiles, payload: Tensor) -> None:
        keys, values = (self.holding.cache.tensors[f"{layer}.{name}"] for name in ("key", "value"))
        both = _as(payload, keys).reshape(2, keys.shape[0], len(tiles), *keys.shape[2:])
        keys[:, list(tiles)], values[:, list(tiles)] = both[0], both[1]

    def _write_moments(self, layer: str, tiles: Tiles, payload: Tensor) -> None:
        table = self.holding.cache.tensors[layer]
        table[:, list(tiles)] = _as(payload, table).reshape(table.shape[0], len(tiles), *table.shape[2:])


def _as(payload: Tensor, like: Tensor) -> Tensor:
    """Bytes as numbers of `like`'s type, on its device."""
    return payload.view(like.dtype).to(like.device)
