"""One worker: holds a network and its part of every request in flight, and does what the planner says, in order."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from suffice.regional.attention_maps import AttentionRecorder
from suffice.regional.denoiser import Condition, Denoiser, Networks, opened
from suffice.regional.flops import FlopMeter, Pass
from suffice.regional.frame import Cache
from suffice.regional.workers import messages as say
from suffice.regional.workers.mailbox import Mailbox, PeerLostError
from suffice.regional.workers.peers import Holding, PeerExchange

if TYPE_CHECKING:
    from torch import Tensor


class Line(Protocol):
    """A connection to the planner."""

    def send(self, message: Any) -> None: ...

    def recv(self) -> Any: ...


class Worker:
    """Answers messages. One thread calls :meth:`answer`; :meth:`abort` may be called from another."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser, self.meter = denoiser, FlopMeter()
        self.mail: Mailbox | None = None
        self.holdings: dict[int, Holding] = {}
        self.conditions: dict[int, Condition] = {}
        self.names = denoiser.layer_names()
        self.layers = {name: number for number, name in enumerate(self.names)}

    def answer(self, message: Any) -> Any:
        """Do what `message` says; what to tell the planner, or None."""
        return getattr(self, f"_{type(message).__name__.lower()}")(message)

    def abort(self) -> None:
        """Make whatever waits for a peer fail."""
        if self.mail is not None:
            self.mail.lose("the planner called off the step")

    def _join(self, message: say.Join) -> say.Joined:
        self.mail = Mailbox(message.epoch, message.rank, message.ranks, message.port)
        return say.Joined(message.epoch)

    def _abort(self, message: say.Abort) -> say.Aborted:
        if self.mail is not None:
            self.mail.close()
        self.mail = None
        self.holdings.clear()
        return say.Aborted(message.epoch)

    def _begin(self, message: say.Begin) -> None:
        condition = self.conditions[message.request] = self._condition(message.told)
        if self.mail is not None:
            self.mail.forget(message.request, message.step)
        self.holdings[message.request] = Holding(
            message.grid, condition.batch, message.owned, Cache(), self.layers, self.names
        )

    def _end(self, message: say.End) -> None:
        self.holdings.pop(message.request, None)
        self.conditions.pop(message.request, None)
        if self.mail is not None:
            self.mail.forget(message.request)

    def _warm(self, message: say.Warm) -> say.Done:
        started, condition, grid = time.perf_counter(), self._condition(message.told), message.grid
        recorder = AttentionRecorder(len(message.latents)) if message.record else None
        latents = self._latents(message.latents, condition)
        before = self.meter.executed
        noise = self.meter.run(
            Pass(grid, condition.batch, grid.count, message.record),
            lambda: self.denoiser.dense(latents, self._tensor(message.time), condition, grid, Cache(), recorder),
        )
        seen = (
            {} if recorder is None else {n: (one.cpu().numpy(), recorder.counts[n]) for n, one in recorder.sums.items()}
        )
        taken = time.perf_counter() - started
        work = self.meter.executed - before
        return say.Done(message.request, message.step, _array(grid.cut(noise)), taken, work, attention=seen)

    def _step(self, message: say.Step) -> say.Done | None:
        assert self.mail is not None
        holding = self.holdings[message.request]
        holding.ran[message.step] = message.tiles
        mine = message.tiles[self.mail.rank]
        if not mine:
            return None
        started, waited_s, sent = time.perf_counter(), self.mail.waited_s, dict(self.mail.bytes_sent)
        exchange = PeerExchange(self.mail, holding, message.request, message.step, message.sync)
        exchange.catch_up()
        before = self.meter.executed
        noise = self._run(message, holding, mine, exchange)
        exchange.finish()
        by_kind = {kind: total - sent.get(kind, 0) for kind, total in self.mail.bytes_sent.items()}
        taken, work = time.perf_counter() - started, self.meter.executed - before
        waited_s = self.mail.waited_s - waited_s
        sent_now = sum(by_kind.values())
        return say.Done(message.request, message.step, _array(noise), taken, work, waited_s, sent_now, by_kind)

    def _run(self, message: say.Step, holding: Holding, mine: say.Tiles, exchange: PeerExchange) -> Tensor:
        import torch

        condition = self.conditions[message.request]
        latents = self._latents(message.latents, condition)
        active = torch.tensor(mine, dtype=torch.long, device=latents.device)
        grid, cache, time_step = holding.grid, holding.cache, self._tensor(message.time)
        return self.meter.run(
            Pass(grid, condition.batch, len(mine)),
            lambda: self.denoiser.sparse(latents, time_step, condition, grid, cache, active, exchange, message.fresh),
        )

    def _latents(self, one_side: Any, condition: Condition) -> Tensor:
        latents = self._tensor(one_side).to(self.denoiser.unet.dtype)
        return latents.repeat(condition.batch // len(latents), 1, 1, 1)

    def _condition(self, told: say.Told) -> Condition:
        added = None if told.added is None else {name: self._tensor(one) for name, one in told.added.items()}
        hint = None if told.hint is None else self._tensor(told.hint).to(self.denoiser.unet.dtype)
        return Condition(self._tensor(told.text), added, hint, told.strength, told.frames)

    def _tensor(self, array: Any) -> Tensor:
        import torch

        return torch.tensor(array).to(next(self.denoiser.unet.parameters()).device)


def _array(tensor: Tensor) -> Any:
    return tensor.float().cpu().numpy()


def serve(networks: Networks, line: Line, pid: int) -> None:
    """Answer the planner until it says stop or hangs up. The networks may be shared by nobody else."""
    with opened(*networks) as denoiser:
        worker = Worker(denoiser)
        orders: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=_listen, args=(line, orders, worker), daemon=True).start()
        line.send(say.Ready(pid))
        while not isinstance(message := orders.get(), say.Stop):
            reply = _answered(worker, message)
            if reply is not None:
                with contextlib.suppress(OSError):
                    line.send(reply)
        if worker.mail is not None:
            worker.mail.close()


def _answered(worker: Worker, message: Any) -> Any:
    try:
        return worker.answer(message)
    except PeerLostError:
        return None  # the planner has seen it too, and will say what next
    except Exception as error:
        return say.Failed(f"{type(error).__name__}: {error}")


def _listen(line: Line, orders: queue.Queue[Any], worker: Worker) -> None:
    """Orders in their order; an abort is also heard at once, and clears what was ordered before it."""
    try:
        while True:
            message = line.recv()
            if isinstance(message, say.Abort):
                while not orders.empty():
                    orders.get_nowait()
                worker.abort()
            orders.put(message)
            if isinstance(message, say.Stop):
                return
    except (EOFError, OSError):
        worker.abort()
        orders.put(say.Stop())
