"""Frames of a real (small) video as units: views, chains, neighbours in time as the proxy, two paths of one content."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from enough_clip import SIZE, number_shown, write_striped_clip
from function_model import FunctionModel

import suffice
from suffice.answer import aggregate
from suffice.assets import asset_path
from suffice.media import load
from suffice.media.decode_frames import DecodeStats, decode_frames


def stripes(image) -> list[tuple[str, float]]:
    number = number_shown(image)
    return [("stripe", bit / 8) for bit in range(8) if number >> bit & 1]


@pytest.fixture
def con(tmp_path: Path) -> suffice.Connection:
    write_striped_clip(tmp_path / "clip.mp4")
    con = suffice.connect(progress=False)
    columns = [("label", "VARCHAR"), ("place", "DOUBLE")]
    con.register(
        "stripes",
        FunctionModel("stripes", stripes, ["IMAGE"], columns, "rows", rows_max=8, ranges={"place": (0.0, 1.0)}),
    )
    con.register("late", FunctionModel("late", lambda i: [(number_shown(i) >= 180,)], ["IMAGE"], [("v", "BOOLEAN")]))
    con.sql(f"CREATE VIEW objects AS SELECT f.*, o.* FROM frames('{tmp_path}/*.mp4') f, stripes(f.image) o")
    return con


def truth() -> int:
    return sum(bin(i).count("1") for i in range(SIZE))


def test_a_view_of_frames_and_a_model(con: suffice.Connection) -> None:
    result = con.sql("SELECT count(*) AS n FROM objects WHERE label = 'stripe' WITHIN 20% CONFIDENCE 90%", seed=1)
    ((low, high),) = result.guarantee.intervals["n"]
    work = result.work.model_calls["stripes"]
    assert low <= truth() <= high and work.done == result.guarantee.sampled < SIZE and work.skipped == SIZE - work.done


def test_a_copy_of_the_file_is_the_same_unit_with_twice_the_rows(con: suffice.Connection, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "clip.mp4", tmp_path / "copy.mp4")
    result = con.sql("SELECT count(*) AS n FROM objects WITHIN 20% CONFIDENCE 90%", seed=1)
    ((low, high),) = result.guarantee.intervals["n"]
    assert low <= 2 * truth() <= high and result.guarantee.population == SIZE
    assert any("[0, 16]" in each for each in result.guarantee.assumptions)


def test_without_a_proxy_frames_go_by_their_neighbours_in_time(con: suffice.Connection, tmp_path: Path) -> None:
    question = f"SELECT frame_index FROM frames('{tmp_path}/clip.mp4') WHERE late(image) RECALL 80% CONFIDENCE 80%"
    result = con.sql(f"{question} BUDGET 120 CALLS", seed=1)
    rows = result.fetchall()
    assert result.guarantee.details["proxy"].startswith("neighbours in time")
    assert len({i for i, _ in rows if i >= 180}) >= 0.8 * (SIZE - 180)
    assert result.work.model_calls["late"].done <= 120


def test_rounds_of_a_sample_do_not_have_the_clip_decoded_for_each(monkeypatch):
    """Whatever is kept ahead, the same frames are asked and the same interval comes of them."""
    packets, answers = [], []
    for ahead in (aggregate.AHEAD_UNITS, 0):
        stats = DecodeStats()
        monkeypatch.setattr(aggregate, "AHEAD_UNITS", ahead)
        monkeypatch.setattr(
            load, "decode_frames", lambda *given, s=stats, **told: decode_frames(*given, **{**told, "stats": s})
        )
        with suffice.connect(progress=False) as con:
            con.register("noise", FunctionModel("noise", noise, ["IMAGE"], [("v", "DOUBLE")], ranges={"v": (0.0, 1.0)}))
            asked = f"SELECT avg(noise(image)) AS n FROM frames('{asset_path('pedestrians.mp4')}') WITHIN 12%"
            answer = con.sql(asked, seed=1)
        packets.append(len(stats.packet_pts))
        answers.append((answer.guarantee.sampled, answer.guarantee.intervals, answer.work.model_calls["noise"].done))
    assert answers[0] == answers[1] and 40 < answers[0][0] < 400
    assert packets[0] < 0.7 * packets[1]


def noise(image) -> list[tuple[float]]:
    """Between 0 and 1, nothing to do with the frames beside it."""
    return [(int(image.sum()) % 997 / 997,)]
