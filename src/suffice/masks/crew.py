"""Who works on the pictures of a folder: processes where the work is Python's, threads where it is a library's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from suffice.masks.backend import Finder, Segmenter
from suffice.masks.default.finder import DefaultFinder
from suffice.masks.default.segmenter import DefaultSegmenter
from suffice.masks.embeddings import Embeddings
from suffice.processes import process_pool


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
    if apart or (jobs > 1 and workshop.copies_well):
        with process_pool(jobs, _move_in, workshop) as processes:
            yield lambda work, *given: processes.submit(_at_home, work, *given)
        return
    threads = ThreadPoolExecutor(jobs)
    try:
        yield lambda work, *given: threads.submit(work, workshop, *given)
    finally:
        threads.shutdown(cancel_futures=True)


def _move_in(workshop: Workshop) -> None:
    global _here
    _here = workshop


def _at_home(work: Callable[..., Any], *given: Any) -> Any:
    return work(_here, *given)
