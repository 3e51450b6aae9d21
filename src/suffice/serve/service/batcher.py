"""Requests of many callers, run together.

A worker takes whatever waits, up to the model's batch size, and never waits for more: a lone request runs at once, and
under load batches fill by themselves because requests gather while the model is busy. It decodes what it took itself,
so that a lone input changes threads once. The queue is bounded; what finds it full is told when to come back.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from suffice.models.check import check_rows
from suffice.models.protocol import Model, Row
from suffice.models.run import predict_each, worker_count
from suffice.serve.problems import BusyError
from suffice.serve.service.inputs import prepared_input
from suffice.serve.service.metrics import ModelMetrics

Outcome = list[Row] | Exception
QUEUE_BATCHES = 8


@dataclass(frozen=True)
class _Waiting:
    """One input row, by column, and where its outcome goes."""

    values: Mapping[str, Any]
    outcome: Future[Outcome] = field(default_factory=Future)


class Batcher:
    """One model's queue and workers; they start with the first request."""

    def __init__(self, model: Model, metrics: ModelMetrics) -> None:
        self.model, self.metrics = model, metrics
        self.inputs_max = QUEUE_BATCHES * model.signature.batch_size
        self._queue: queue.Queue[_Waiting | None] = queue.Queue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._waiting = 0

    def submit(self, inputs: Sequence[Mapping[str, Any]]) -> list[Future[Outcome]]:
        """Queue input rows; raises :class:`BusyError` when not all of them find room."""
        with self._lock:
            if self._waiting and self._waiting + len(inputs) > self.inputs_max:
                self.metrics.refused += len(inputs)
                wait_s = self._waiting * self.metrics.seconds_per_input
                raise BusyError(f"{self.model.signature.name}: {self._waiting} inputs are waiting already", wait_s)
            self._waiting += len(inputs)
            self._start()
        waiting = [_Waiting(one) for one in inputs]
        for one in waiting:
            self._queue.put(one)
        return [one.outcome for one in waiting]

    @property
    def waiting(self) -> int:
        """Inputs that are queued or running."""
        return self._waiting

    def close(self) -> None:
        """End the workers after what they have in hand."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(5)

    def _start(self) -> None:
        if not self._threads:
            count = max(1, worker_count(self.model.signature))
            self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
            for thread in self._threads:
                thread.start()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first, *self._more()]
            outcomes = self._predicted([prepared_input(self.model, one.values) for one in batch])
            with self._lock:
                self._waiting -= len(batch)
            for one, outcome in zip(batch, outcomes, strict=True):
                one.outcome.set_result(outcome)

    def _more(self) -> list[_Waiting]:
        """What else waits, as far as it fits into the batch."""
        found: list[_Waiting] = []
        while len(found) + 1 < self.model.signature.batch_size:
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                break
            if one is None:  # the end, for this worker too
                self._queue.put(None)
                break
            found.append(one)
        return found

    def _predicted(self, prepared: list[Any]) -> list[Outcome]:
        """The model's answers in the places of what it takes; exceptions stay."""
        good = [i for i, one in enumerate(prepared) if not isinstance(one, Exception)]
        if not good:
            return prepared
        started = time.perf_counter()
        answers: list[Outcome]
        try:
            answers = [self._checked(one) for one in predict_each(self.model, [prepared[i] for i in good])]
        except Exception as error:  # as many answers as it was asked for, or none of them can be trusted
            answers = [error] * len(good)
        with self._lock:
            self.metrics.ran(len(good), time.perf_counter() - started)
        found = dict(zip(good, answers, strict=True))
        return [found.get(i, one) for i, one in enumerate(prepared)]

    def _checked(self, answer: Outcome) -> Outcome:
        if isinstance(answer, Exception):
            return answer
        try:
            return check_rows(self.model.signature, answer)
        except Exception as error:
            return error
