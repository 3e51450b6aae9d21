"""`frames()` in SQL over a clip whose frames come at uneven times: what each option chooses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from media_clips import number_of, write_clip

import suffice
from suffice.models.protocol import IMAGE, Column, Row, Signature

TIMES_MS = list(accumulate([33, 33, 500, 10, 40] * 8, initial=0))


class Number:
    """The number drawn in a frame."""

    signature = Signature("number", "1", (Column("image", IMAGE),), (Column("n", "BIGINT"),), "scalar", {})

    def prepare(self, image: Any) -> int:
        return number_of(image)

    def predict(self, batch: Sequence[int]) -> list[list[Row]]:
        return [[(n,)] for n in batch]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("uneven") / "clip.mp4"
    path.write_bytes(write_clip(TIMES_MS))
    return path


@pytest.fixture(scope="module")
def con() -> suffice.Connection:
    con = suffice.connect()
    con.register("number", Number())
    return con


def on_show(time_s: float) -> int:
    return max(i for i, t in enumerate(TIMES_MS) if t / 1000 <= time_s + 1e-6)


def test_every_frame_has_its_own_time_and_picture(con: suffice.Connection, clip: Path) -> None:
    rows = con.sql(f"SELECT frame_index, time_s, number(image) FROM frames('{clip}') ORDER BY ALL").fetchall()
    assert [row[0] for row in rows] == [row[2] for row in rows] == list(range(41))
    assert [row[1] for row in rows] == pytest.approx([t / 1000 for t in TIMES_MS], abs=1e-4)


def test_a_rate_gives_the_frame_on_show_at_each_tick(con: suffice.Connection, clip: Path) -> None:
    found = con.sql(f"SELECT frame_index FROM frames('{clip}', fps => 2) ORDER BY 1").fetchall()
    ticks = range(0, TIMES_MS[-1] + 500, 500)  # the last frame is on show for a while
    assert [i for (i,) in found] == sorted({on_show(tick_ms / 1000) for tick_ms in ticks})


def test_a_stretch_of_time(con: suffice.Connection, clip: Path) -> None:
    rows = con.sql(f"SELECT frame_index FROM frames('{clip}', start_s => 1.0, end_s => 2.0) ORDER BY 1").fetchall()
    assert [i for (i,) in rows] == [i for i, t in enumerate(TIMES_MS) if 1000 <= t < 2000]


def test_key_frames_only(con: suffice.Connection, clip: Path) -> None:
    found = con.sql(f"SELECT frame_index FROM frames('{clip}', key_frames_only => true) ORDER BY 1").fetchall()
    keys = con.sql(f"SELECT frame_index FROM frames('{clip}') WHERE key_frame ORDER BY 1").fetchall()
    assert found == keys == [(0,), (10,), (20,), (30,), (40,)]
    numbers = con.sql(f"SELECT number(image) FROM frames('{clip}', key_frames_only => true) ORDER BY 1").fetchall()
    assert numbers == keys


def test_the_same_frames_by_another_option_are_not_paid_again(con: suffice.Connection, clip: Path) -> None:
    con.sql(f"SELECT number(image) FROM frames('{clip}')")
    work = con.sql(f"SELECT number(image) FROM frames('{clip}', fps => 3)").work.model_calls["number"]
    assert work.done == 0 and work.cached > 0
