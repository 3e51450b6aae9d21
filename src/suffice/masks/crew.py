"""Who works on the pictures of a folder: processes where the work is Python's, threads where it is a library's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from suffice.masks.backend import Finder, Segmenter
from suffice.masks.default.finder import DefaultFinder
from suffice.masks.default.segmenter import DefaultSegmenter
from suffice.masks.embeddings import Embeddings


@dataclass(frozen=True)
class Workshop:
    """What works on pictures: shared by all threads, and a copy a process."""

    segmenter: Segmenter
    finder: Finder
    embeddings: Embeddings

    @property
    def identity(self) -> str:
        return f"{self.segmenter.name} {self.segmenter.version} {self.finder.name} {self.finder.version}"

    @property
    def copies_well(self) -> bool:
        """The embedded defaults compute in Python, where threads wait for each other, and are small. Networks compute
        in libraries that threads run side by side, and their weights are not to be held twice."""
        return isinstance(self.segmenter, DefaultSegmenter) and isinstance(self.finder, DefaultFinder)


Submit = Callable[..., Future[Any]]

_here: Workshop


@contextmanager
def crew(workshop: Workshop, jobs: int, apart: bool = False) -> Iterator[Submit]:
    """``submit(work, ...)`` has one of `jobs` do ``work(workshop, ...)``; what was not begun on leaving never is.

    Args:
        apart: not in this process, even if it is one job.
    """
    in_processes = apart or (jobs > 1 and workshop.copies_well)
    pool = _processes(workshop, jobs) if in_processes else ThreadPoolExecutor(jobs)

    def submit(work: Callable[..., Any], *given: Any) -> Future[Any]:
        return pool.submit(_at_home, work, *given) if in_processes else pool.submit(work, workshop, *given)

    try:
        yield submit
    finally:
        pool.shutdown(cancel_futures=True)


def _processes(workshop: Workshop, jobs: int) -> ProcessPoolExecutor:
    """`jobs` processes, started: libraries read as they are imported how many threads to have, here one."""
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _move_in, (workshop,))
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        pool.submit(int)
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    return pool


def _at_home(work: Callable[..., Any], *given: Any) -> Any:
    return work(_here, *given)


def _move_in(workshop: Workshop) -> None:
    """A process of the crew: the one that started it hears Ctrl-C for all, and takes all with it when it is killed."""
    global _here
    _here = workshop
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
