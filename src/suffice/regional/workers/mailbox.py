"""Tensors between workers: sends that do not wait, one receiving thread a peer, and a place where each thing is found.

The wire is torch.distributed's gloo, point to point on loopback. Each group of processes is an object of its own, so
a new one can be made when a worker is replaced, beside whatever is left of the old one.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from suffice.errors import SufficeError

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("halo", "tokens", "moments")
BATCH = 60  # tensors of one flat buffer, as in DistriFusion
HEADER = 4 + 3 * BATCH  # request, step, how many tensors, whether the last; of each its layer, kind and bytes
LONG = timedelta(days=1)


class PeerLostError(SufficeError):
    """Another worker is gone, or the planner said so."""


class Key(NamedTuple):
    """What a tensor is: of which step of which request, from whom, of which layer, and ``halo``, ``tokens``, …"""

    request: int
    step: int
    source: int
    layer: int
    kind: int


@dataclass
class Outgoing:
    """Tensors for one peer that wait to be sent together."""

    metas: list[tuple[int, int, int]]
    payloads: list[Tensor]


class Mailbox:
    """The worker's place in one group of workers."""

    def __init__(self, epoch: int, rank: int, ranks: int, port: int) -> None:
        self.rank, self.peers = rank, [peer for peer in range(ranks) if peer != rank]
        self.bytes_sent: dict[str, int] = defaultdict(int)
        self.waited_s = 0.0
        self._group = _group(epoch, rank, ranks, port) if self.peers else None
        self._arrived: dict[Key, Tensor] = {}
        self._finished: set[tuple[int, int, int]] = set()
        self._news = threading.Condition()
        self._lost: str | None = None
        self._in_flight: list[tuple[Any, Tensor]] = []
        self._closed = False
        for peer in self.peers:
            threading.Thread(target=self._receive, args=(peer,), daemon=True, name=f"from {peer}").start()

    def send(self, peer: int, request: int, step: int, parts: Sequence[tuple[int, int, Tensor]], last: bool) -> None:
        """Start sending up to :data:`BATCH` (layer, kind, tensor) triples as one flat buffer; `last`: nothing more of
        this step."""
        import torch

        flat = [tensor.detach().contiguous().view(-1).view(torch.uint8) for _, _, tensor in parts]
        header = torch.full((HEADER,), -1, dtype=torch.long)
        header[:4] = torch.tensor([request, step, len(parts), int(last)])
        for place, ((layer, kind, _), one) in enumerate(zip(parts, flat, strict=True)):
            header[4 + 3 * place : 7 + 3 * place] = torch.tensor([layer, kind, len(one)])
            self.bytes_sent[KINDS[kind]] += len(one)
        self._put(peer, header)
        if parts:
            self._put(peer, torch.cat(flat).cpu())
        self.bytes_sent["headers"] += 8 * HEADER

    def _put(self, peer: int, tensor: Tensor) -> None:
        self._in_flight = [(work, kept) for work, kept in self._in_flight if not work.is_completed()]
        try:
            self._in_flight.append((self._group.send([tensor], peer, 0), tensor))  # type: ignore[union-attr]
        except RuntimeError as error:
            self.lose(f"worker {peer} is gone: {error}")
            self._check()

    def take(self, key: Key) -> Tensor:
        """The bytes of one tensor, when they are here."""
        with self._news:
            self._until(lambda: key in self._arrived)
            return self._arrived.pop(key)

    def _until(self, here: Callable[[], bool]) -> None:
        started = time.perf_counter()
        while not here():
            self._check()
            self._news.wait(0.5)
        self.waited_s += time.perf_counter() - started

    def take_older(self, request: int, step: int) -> list[tuple[Key, Tensor]]:
        """Everything of a request from before `step`, oldest first."""
        with self._news:
            keys = sorted(key for key in self._arrived if key.request == request and key.step < step)
            return [(key, self._arrived.pop(key)) for key in keys]

    def wait_finished(self, request: int, step: int, source: int) -> None:
        """Until `source` has said all it has to say of a step."""
        with self._news:
            self._until(lambda: (request, step, source) in self._finished)

    def forget(self, request: int, before: float = float("inf")) -> None:
        """Drop what is left of a request from before a step."""
        with self._news:
            self._arrived = {k: value for k, value in self._arrived.items() if k.request != request or k.step >= before}
            self._finished = {one for one in self._finished if one[0] != request or one[1] >= before}

    def lose(self, why: str) -> None:
        """From now on every wait fails."""
        with self._news:
            self._lost = self._lost or why
            self._news.notify_all()

    def close(self) -> None:
        """Tell the peers that nothing more comes; what they still send is dropped."""
        import torch

        self._closed = True
        farewell = torch.full((HEADER,), -1, dtype=torch.long)
        for peer in self.peers:
            try:
                self._in_flight.append((self._group.send([farewell], peer, 0), farewell))  # type: ignore[union-attr]
            except RuntimeError:
                continue
        self.lose("closed")
        _wait_at_most(self._in_flight, 1.0)

    def _check(self) -> None:
        if self._lost is not None:
            raise PeerLostError(self._lost)

    def _receive(self, peer: int) -> None:
        try:
            while self._receive_one(peer):
                pass
        except RuntimeError as error:
            if not self._closed:
                self.lose(f"worker {peer} is gone: {error}")

    def _receive_one(self, peer: int) -> bool:
        import torch

        request, step, count, last, *rest = self._get(peer, torch.zeros(HEADER, dtype=torch.long)).tolist()
        if count < 0:
            return False
        metas = [rest[3 * place : 3 * place + 3] for place in range(count)]
        payloads: list[Tensor] = []
        if count:
            flat = self._get(peer, torch.zeros(sum(meta[2] for meta in metas), dtype=torch.uint8))
            payloads = list(flat.split([meta[2] for meta in metas]))
        with self._news:
            for (layer, kind, _), payload in zip(metas, payloads, strict=True):
                self._arrived[Key(request, step, peer, layer, kind)] = payload
            if last:
                self._finished.add((request, step, peer))
            self._news.notify_all()
        return True

    def _get(self, peer: int, room: Tensor) -> Tensor:
        self._group.recv([room], peer, 0).wait()  # type: ignore[union-attr]
        return room


def _group(epoch: int, rank: int, ranks: int, port: int) -> Any:
    import torch.distributed as dist

    store = dist.TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False)
    options = dist.ProcessGroupGloo._Options()
    options._devices = [dist.ProcessGroupGloo.create_device(hostname="127.0.0.1")]
    options._timeout = LONG
    return dist.ProcessGroupGloo(dist.PrefixStore(f"epoch {epoch}", store), rank, ranks, options)


def _wait_at_most(works: Sequence[tuple[Any, Any]], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not all(work.is_completed() for work, _ in works):
        time.sleep(0.005)
