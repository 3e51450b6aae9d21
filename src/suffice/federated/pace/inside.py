"""Pace the process one is in."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suffice.federated.pace.process import give_way, move_to, threads_of
from suffice.federated.pace.steps import VARIABLE, create_counter, take_all
from suffice.federated.pace.supervise import Paced, Terms, supervise
from suffice.federated.pace.waiting import brief_spins


@contextmanager
def paced(terms: Terms | None = None) -> Iterator[None]:
    """Keep this process, and what it starts, out of the way of others while the block runs.

    As :func:`~suffice.federated.pace.pace_command` does a command; the block should call
    :func:`~suffice.federated.pace.step` after each training step, and those of a federation's devices do. Enter it
    before PyTorch is imported: later its threads no longer hear how long to spin. After the block the process has all
    its cores again and stays as polite as it was made, for the kernel knows no way back.
    """
    terms, over, cores = terms or Terms(), threading.Event(), os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        counter = Path(folder) / "steps"
        create_counter(counter)
        os.environ.update(brief_spins(os.environ) | {VARIABLE: str(counter)})
        for thread in list(threads_of(os.getpid())):
            give_way(int(thread.name), terms.niceness)
        watching = threading.Thread(target=supervise, args=(Paced(os.getpid(), counter, over), terms))
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()
            del os.environ[VARIABLE]
            move_to(os.getpid(), tuple(cores))
            take_all(len(cores))
