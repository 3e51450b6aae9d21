"""Pools of processes that end with whoever started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from typing import Any

_THREADS = "OMP_NUM_THREADS"


@contextmanager
def process_pool(processes: int, begin: Callable[..., object], *given: Any) -> Iterator[ProcessPoolExecutor]:
    """`processes` that each did ``begin(*given)``, with one thread for its numerical libraries.

    They leave Ctrl-C to the process that started them and end with it, however it ends. What was not begun when the
    block is left never is.
    """
    context = multiprocessing.get_context("spawn")
    all_started = context.Event()
    pool = ProcessPoolExecutor(processes, context, _begin, (all_started, begin, given))
    try:
        try:
            with _one_thread():
                for _ in range(processes):
                    pool.submit(int)  # starts one, as long as none of those before is idle
        finally:
            all_started.set()
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Numerical libraries read as they are imported how many threads to have, from what a process is born with."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


def _begin(all_started: Event, begin: Callable[..., object], given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    all_started.wait()
    begin(*given)


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
