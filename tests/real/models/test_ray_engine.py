"""Ray's actors give the rows that this process gives, and a worker that is killed costs one batch at most."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'suffice[ray]'")

import suffice
from suffice.assets import asset_path
from suffice.models.engines import ray_run
from suffice.models.protocol import Column, Row, Signature

pytestmark = pytest.mark.server
CLIP = str(asset_path("pedestrians.mp4"))
BATCH = 4


@dataclass
class Noted:
    """Doubles numbers, and notes each in a file with the process that did it; `deadly` ends that process."""

    log: str
    seconds: float = 0.0
    deadly: int | None = None
    lock: Any = None

    @property
    def signature(self) -> Signature:
        inputs, outputs = (Column("n", "BIGINT"),), (Column("twice", "BIGINT"),)
        return Signature("noted", "1", inputs, outputs, "scalar", {}, batch_size=BATCH)

    def prepare(self, n: int) -> int:
        return n

    def predict(self, batch: Sequence[int]) -> list[list[Row] | Exception]:
        with open(self.log, "a") as log:
            for n in batch:
                time.sleep(self.seconds)
                log.write(f"{os.getpid()} {n}\n")
                log.flush()
                if n == self.deadly:
                    os.kill(os.getpid(), signal.SIGKILL)
        return [ValueError(f"{n} is unlucky") if n == 13 else [(2 * n,)] for n in batch]


@pytest.fixture(scope="module")
def distributed() -> Iterator[suffice.Connection]:
    with suffice.connect(progress=False, engine="ray?workers=2") as con:
        yield con


def test_rows_and_problems_are_those_of_one_process(distributed: suffice.Connection, tmp_path: Path) -> None:
    for number in range(3):
        PIL.Image.fromarray(np.full((60, 80, 3), 60 * number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes((tmp_path / "2.png").read_bytes()[:60])
    questions = (
        f"SELECT f.frame_index, o.*, classify(crop(f.image, o.x0, o.y0, o.x1, o.y1)) AS class"
        f" FROM frames('{CLIP}', fps => 0.1) f, detect(f.image) o WHERE o.label = 'person' ORDER BY ALL",
        f"SELECT path, classify(image) AS class FROM images('{tmp_path}/*.png') ORDER BY path",
        "SELECT path, model, message FROM problems ORDER BY ALL",
    )
    with suffice.connect(progress=False) as alone:
        for question in questions:
            with pytest.warns(suffice.SufficeWarning) if "images" in question else _nothing():
                here = alone.sql(question)
            with pytest.warns(suffice.SufficeWarning) if "images" in question else _nothing():
                there = distributed.sql(question)
            assert there.fetchall() == here.fetchall() != []
            for name, work in here.work.model_calls.items():
                assert there.work.model_calls[name].done == work.done
    assert there.work.bytes_read == here.work.bytes_read


def test_a_killed_worker_costs_one_batch(distributed: suffice.Connection, tmp_path: Path) -> None:
    log, count, killed = tmp_path / "log", 120, []
    distributed.register("noted", Noted(str(log), 0.02))

    def kill() -> None:
        while len(lines := log.read_text().splitlines() if log.exists() else []) < 30:
            time.sleep(0.01)
        killed.append(int(lines[-1].split()[0]))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with pytest.warns(suffice.SufficeWarning, match="1 inputs failed"):
        result = distributed.sql(f"SELECT n, noted(n) AS twice FROM range({count}) r(n) ORDER BY n")
    killer.join()
    assert result.fetchall() == [(n, None if n == 13 else 2 * n) for n in range(count)]
    done = [line.split() for line in log.read_text().splitlines()]
    assert len({process for process, _ in done}) == 3 and os.getpid() != killed[0]  # two, and a successor
    assert {int(n) for _, n in done} == set(range(count)) and len(done) <= count + BATCH


def test_inputs_that_kill_every_worker_are_named(
    distributed: suffice.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_run, "LOST_MAX", 1)
    distributed.register("noted", Noted(str(tmp_path / "log"), deadly=1005))
    with pytest.raises(suffice.ModelError, match="2 of Ray's workers died over the same"):
        distributed.sql("SELECT sum(noted(n)) FROM range(1000, 1008) r(n)")
    distributed.register("noted", Noted(str(tmp_path / "log")))
    assert distributed.sql("SELECT noted(1007)").fetchall() == [(2014,)]  # and the engine goes on


def test_a_model_that_cannot_travel_runs_here(distributed: suffice.Connection, tmp_path: Path) -> None:
    log = tmp_path / "log"
    distributed.register("noted", Noted(str(log), lock=threading.Lock()))
    with pytest.warns(suffice.SufficeWarning, match="noted runs here, it cannot be sent"):
        assert distributed.sql("SELECT noted(1021)").fetchall() == [(2042,)]
    assert log.read_text() == f"{os.getpid()} 1021\n"


def test_a_model_that_is_broken_says_so(distributed: suffice.Connection, tmp_path: Path) -> None:
    with pytest.raises(suffice.UsageError, match="no finished run"):
        distributed.sql(f"CREATE MODEL gone USING 'federated:{tmp_path}'")

    @suffice.model(name="broken")
    def broken(n: int) -> int:
        raise RuntimeError("out of order")

    distributed.register("broken", broken)
    with pytest.raises(suffice.ModelError, match=r"broken.*RuntimeError: out of order"):
        distributed.sql("SELECT sum(broken(n)) FROM range(20) r(n)")


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()
