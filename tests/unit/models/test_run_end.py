"""Whoever stops listening to a model waits until what it computes is done, so that no process ends under it."""

from __future__ import annotations

import threading
import time

import pytest

from suffice.models.protocol import Column, Signature
from suffice.models.run import even_batch, run_model


class Slow:
    signature = Signature("slow", "1", (Column("x", "INTEGER"),), (Column("y", "INTEGER"),), "scalar", {}, batch_size=1)

    def __init__(self) -> None:
        self.busy = threading.Event()

    def prepare(self, x):
        return x

    def predict(self, batch):
        self.busy.set()
        time.sleep(0.2)
        self.busy.clear()
        return [[(x,)] for x in batch]


def test_nothing_computes_any_more_when_a_run_was_closed() -> None:
    model, before = Slow(), set(threading.enumerate())
    batches = run_model(model, [(x,) for x in range(9)], None, workers=1)
    assert next(batches)[0].rows == [(0,)]
    model.busy.clear()
    batches.close()
    assert not model.busy.is_set() and set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("inputs", "workers", "most", "size"),
    [(12, 2, 4, 3), (4, 2, 4, 2), (18, 2, 4, 3), (800, 2, 4, 4), (3, 1, 8, 3), (1, 1, 1, 1)],
)
def test_workers_have_as_many_batches_each_and_none_is_larger_than_it_may_be(inputs, workers, most, size):
    assert even_batch(inputs, workers, most) == size <= most
    assert -(-inputs // size) <= -(-inputs // (workers * most)) * workers
