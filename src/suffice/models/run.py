"""Run a model over many inputs: decode, prepare, predict and hand over at the same time.

One thread decodes and prepares, `workers` threads predict, and the caller's own thread receives finished batches.
A worker takes its next batch only when the caller is done with its last one (has written it down), and the workers
share one ``batch_size`` among them: whenever the process dies, what was computed and not kept is at most one batch.
At most ``QUEUE_BATCHES`` prepared batches wait, besides the one being filled and one in each worker; of decoded
pictures there is one, and the next while it is handed over. That bounds memory, with what the video decoder itself
holds.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from suffice.errors import ModelError, SufficeError
from suffice.media.load import Located, load_images
from suffice.media.meter import current_meter, metering
from suffice.models.check import check_rows
from suffice.models.protocol import IMAGE, Model, Row, Signature

QUEUE_BATCHES = 4
END_SECONDS = 2.0

Arguments = tuple[Any, ...]
Locate = Callable[[str], Located]


@dataclass(frozen=True)
class Outcome:
    """One input and its output rows, or the error that this input alone met."""

    position: int
    rows: list[Row]
    error: Exception | None = None


@dataclass
class StageSeconds:
    """Where the time went, summed over threads."""

    prepare: float = 0.0
    predict: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, stage: str, seconds: float) -> None:
        with self.lock:
            setattr(self, stage, getattr(self, stage) + seconds)


_END = object()


def run_model(
    model: Model,
    inputs: Sequence[Arguments],
    locate: Locate,
    seconds: StageSeconds | None = None,
    *,
    has_worked: bool = False,
    workers: int | None = None,
) -> Generator[list[Outcome], None, None]:
    """Batches of outcomes, in the order they finish. Closing the iterator stops the threads.

    `workers` threads predict; by default as many as the model allows on the cores there are.

    An input that fails (its picture cannot be decoded, the model raises on it) is an outcome with an error; when a
    model that never worked (`has_worked`) fails on every input of its first batch, it is the model that is broken and
    :class:`ModelError` is raised.
    """
    run = _Run(model, inputs, locate, seconds or StageSeconds(), has_worked, workers)
    try:
        yield from run.results()
    finally:
        run.end()


class _Run:
    def __init__(
        self,
        model: Model,
        inputs: Sequence[Arguments],
        locate: Locate,
        seconds: StageSeconds,
        has_worked: bool,
        workers: int | None,
    ) -> None:
        self.model, self.inputs, self.locate, self.seconds = model, inputs, locate, seconds
        self.has_worked = has_worked
        self.signature = model.signature
        self.meter = current_meter()
        self.stop = threading.Event()
        self.prepared: queue.Queue[Any] = queue.Queue(QUEUE_BATCHES)
        self.finished: queue.Queue[Any] = queue.Queue()
        self.threads: list[threading.Thread] = []
        self.workers = max(1, min(workers or worker_count(self.signature), len(inputs)))
        self.batch_size = even_batch(len(inputs), self.workers, max(1, self.signature.batch_size // self.workers))

    def end(self) -> None:
        """Stop, and wait a moment: a process that exits while a net still computes is aborted by it."""
        self.stop.set()
        until = time.monotonic() + END_SECONDS
        for thread in self.threads:
            thread.join(max(0.0, until - time.monotonic()))

    def results(self) -> Iterator[list[Outcome]]:
        work = [self._prepare_all, *[self._predict_all] * self.workers]
        self.threads = [threading.Thread(target=self._guard(each), daemon=True) for each in work]
        for thread in self.threads:
            thread.start()
        succeeded, running = self.has_worked, self.workers
        while running:
            item = self.finished.get()
            if item is _END:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                outcomes, kept = item
                raise_if_hopeless(self.signature, outcomes, succeeded)
                succeeded = True
                yield outcomes
                kept.set()

    def _guard(self, work: Callable[[], None]) -> Callable[[], None]:
        """Threads do not raise, they report: the receiving thread raises for them."""

        def guarded() -> None:
            try:
                with metering(self.meter):
                    work()
            except _StoppedError:
                pass
            except BaseException as error:
                self._put(self.finished, error)

        return guarded

    def _put(self, target: queue.Queue[Any], item: Any) -> None:
        while not self.stop.is_set():
            try:
                return target.put(item, timeout=0.1)
            except queue.Full:
                continue
        raise _StoppedError

    def _get(self) -> Any:
        while not self.stop.is_set():
            try:
                return self.prepared.get(timeout=0.1)
            except queue.Empty:
                continue
        raise _StoppedError

    def _prepare_all(self) -> None:
        batch: list[tuple[int, Any]] = []
        started = time.perf_counter()
        for position, arguments in with_pixels(self.signature, self.inputs, self.locate):
            batch.append((position, self._prepare(arguments)))
            if len(batch) == self.batch_size:
                self.seconds.add("prepare", time.perf_counter() - started)
                self._put(self.prepared, batch)
                batch, started = [], time.perf_counter()
        if batch:
            self._put(self.prepared, batch)
        for _ in range(self.workers):
            self._put(self.prepared, _END)

    def _prepare(self, arguments: Arguments | Exception) -> Any:
        if isinstance(arguments, Exception):
            return arguments
        try:
            return self.model.prepare(*arguments)
        except Exception as error:
            return error

    def _predict_all(self) -> None:
        while (batch := self._get()) is not _END:
            started = time.perf_counter()
            outcomes = self._predict(batch)
            self.seconds.add("predict", time.perf_counter() - started)
            kept = threading.Event()
            self._put(self.finished, (outcomes, kept))
            while not kept.wait(0.1):
                if self.stop.is_set():
                    raise _StoppedError
        self._put(self.finished, _END)

    def _predict(self, batch: list[tuple[int, Any]]) -> list[Outcome]:
        failed = [Outcome(position, [], item) for position, item in batch if isinstance(item, Exception)]
        good = [(position, item) for position, item in batch if not isinstance(item, Exception)]
        if not good:
            return failed
        answers = predict_each(self.model, [item for _, item in good])
        return failed + [self._outcome(position, a) for (position, _), a in zip(good, answers, strict=True)]

    def _outcome(self, position: int, answer: list[Row] | Exception) -> Outcome:
        if isinstance(answer, Exception):
            return Outcome(position, [], answer)
        return Outcome(position, check_rows(self.signature, answer))


class _StoppedError(Exception):
    """The receiver went away; threads end without a word."""


def even_batch(inputs: int, workers: int, most: int) -> int:
    """How many inputs a batch has, at most `most`: workers have as many and end together."""
    batches_each = max(-(-inputs // (workers * most)), 1)
    return -(-inputs // (workers * batches_each))


def worker_count(signature: Signature) -> int:
    """Threads that predict: what the model allows, on local cores when it costs no waiting for others."""
    return signature.concurrency if signature.price else min(signature.concurrency, max(os.cpu_count() or 1, 1))


def predict_each(model: Model, prepared: list[Any]) -> Sequence[list[Row] | Exception]:
    """One answer an input; when a batch fails as a whole, each input gets a try of its own."""
    try:
        answers = model.predict(prepared)
    except Exception as error:
        if len(prepared) == 1:
            return [error]
        return [predict_each(model, [one])[0] for one in prepared]
    if not hasattr(answers, "__len__"):
        raise ModelError(
            f"model {model.signature.name!r} returned {answers!r:.80}: expected a list of rows for each input"
        )
    if len(answers) != len(prepared):
        raise ModelError(
            f"model {model.signature.name!r} returned {len(answers)} answers for a batch of {len(prepared)} inputs"
        )
    return answers


def raise_if_hopeless(signature: Signature, outcomes: list[Outcome], succeeded: bool) -> None:
    """Raise what a model says that fails on every input of the first batch it ever ran."""
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if succeeded or len(errors) < len(outcomes) or all(type(e).__name__ == "MediaError" for e in errors):
        return
    first = errors[0]
    if isinstance(first, SufficeError):
        raise first
    raise ModelError(
        f"model {signature.name!r} failed on every input of its first batch: {type(first).__name__}: {first}"
    )


def with_pixels(
    signature: Signature, inputs: Sequence[Arguments], locate: Locate
) -> Iterator[tuple[int, Arguments | Exception]]:
    """Inputs with references replaced by pixels, in decoding order; a picture that cannot be read is its error."""
    pictures = [i for i, column in enumerate(signature.inputs) if column.type == IMAGE]
    if not pictures:
        yield from enumerate(inputs)
    elif len(pictures) == 1:
        (column,) = pictures
        for position, image in load_images([row[column] for row in inputs], locate):
            yield position, _filled(inputs[position], {column: image})
    else:
        yield from _with_many_pixels(pictures, inputs, locate)


_CHUNK_INPUTS = 32


def _with_many_pixels(
    pictures: list[int], inputs: Sequence[Arguments], locate: Locate
) -> Iterator[tuple[int, Arguments | Exception]]:
    """Several pictures an input (pairs): the distinct ones of a small chunk are held at once."""
    for start in range(0, len(inputs), _CHUNK_INPUTS):
        chunk = inputs[start : start + _CHUNK_INPUTS]
        references = sorted({row[column] for row in chunk for column in pictures})
        pixels = {references[position]: image for position, image in load_images(references, locate)}
        for offset, row in enumerate(chunk):
            yield start + offset, _filled(row, {column: pixels[row[column]] for column in pictures})


def _filled(row: Arguments, images: dict[int, Any]) -> Arguments | Exception:
    for image in images.values():
        if isinstance(image, Exception):
            return image
    return tuple(images.get(i, value) for i, value in enumerate(row))
