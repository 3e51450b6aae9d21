"""The bound that `models/run.py` states: how many prepared inputs and decoded pictures exist at the same time."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pictures import write_picture

from suffice.media.load import Located
from suffice.models.protocol import IMAGE, Column, Row, Signature
from suffice.models.run import QUEUE_BATCHES, run_model

BATCH, INPUTS = 4, 80


class Live:
    """How many of some objects exist now, and did at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def watch(self, thing: Any) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        weakref.finalize(thing, self._gone)

    def _gone(self) -> None:
        with self._lock:
            self.now -= 1


class Item:
    """A prepared input."""

    def __init__(self, value: float) -> None:
        self.value = value


class Slow:
    """A model that predicts more slowly than pictures are decoded, so that everything piles up that may."""

    def __init__(self, workers: int) -> None:
        self.pictures, self.items = Live(), Live()
        inputs, outputs = (Column("image", IMAGE),), (Column("level", "DOUBLE"),)
        self.signature = Signature(
            "slow", "1", inputs, outputs, "scalar", {}, batch_size=BATCH * workers, concurrency=workers, price=1.0
        )

    def prepare(self, image: Any) -> Item:
        self.pictures.watch(image)
        item = Item(float(image.mean()))
        self.items.watch(item)
        return item

    def predict(self, batch: Sequence[Item]) -> list[list[Row]]:
        time.sleep(0.05)
        return [[(item.value,)] for item in batch]


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_batches_and_one_picture(tmp_path: Path, workers: int) -> None:
    for i in range(INPUTS):
        write_picture(tmp_path / f"{i:032x}.png", i)
    model = Slow(workers)
    inputs = [(f"img:{i:032x}",) for i in range(INPUTS)]
    answers = 0
    for outcomes in run_model(model, inputs, lambda name: Located(str(tmp_path / f"{name}.png"), "")):
        answers += len(outcomes)
        time.sleep(0.05)
    assert answers == INPUTS and model.items.now == 0
    waiting, being_filled, predicted = QUEUE_BATCHES, 1, workers
    assert BATCH * QUEUE_BATCHES < model.items.most <= BATCH * (waiting + being_filled + predicted)
    assert model.pictures.most <= 2, "one in hand, and the next while the name still holds the last"
