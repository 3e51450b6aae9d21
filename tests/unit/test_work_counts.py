"""What `work` says was read was read, and nothing is said where nothing was."""

from __future__ import annotations

import io
from pathlib import Path

import fsspec
import pytest
from pictures import Brightness, write_picture

import suffice
from suffice.assets import asset_path
from suffice.media.meter import Meter, metering
from suffice.media.scan import open_file


@pytest.fixture
def con() -> suffice.Connection:
    con = suffice.connect()
    con.register("brightness", Brightness())
    return con


def test_files_are_read_once_to_look_and_once_to_decode(con: suffice.Connection, tmp_path: Path) -> None:
    sizes = [write_picture(tmp_path / f"{i}.png", 40 * i).stat().st_size for i in range(4)]
    looked = con.sql(f"SELECT count(*) FROM images('{tmp_path}/*.png')").work
    assert looked.rows_read == 0 and looked.bytes_read >= sum(sizes)
    decoded = con.sql(f"SELECT brightness(image) FROM images('{tmp_path}/*.png') WHERE path LIKE '%[12].png'").work
    assert (decoded.rows_read, decoded.bytes_read) == (0, 0), "LIKE knows no brackets"
    decoded = con.sql(f"SELECT brightness(image) FROM images('{tmp_path}/*.png') WHERE path LIKE '%1.png'").work
    assert (decoded.rows_read, decoded.bytes_read) == (1, sizes[1])
    again = con.sql(f"SELECT brightness(image) FROM images('{tmp_path}/*.png') WHERE path LIKE '%1.png'").work
    assert (again.rows_read, again.bytes_read) == (0, 0)
    assert again.as_json()["bytes_read"] == 0 and decoded.as_json()["bytes_read"] == sizes[1]


def test_few_frames_read_little_of_a_video(con: suffice.Connection) -> None:
    clip = asset_path("pedestrians.mp4")
    con.sql(f"SELECT count(*) FROM frames('{clip}')")
    some = con.sql(f"SELECT brightness(image) FROM frames('{clip}') WHERE frame_index BETWEEN 400 AND 403").work
    assert some.rows_read == 4
    assert 0 < some.bytes_read < clip.stat().st_size / 2


def test_an_object_store_counts_too(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/meter/x.bin", b"x" * 1000)
    meter = Meter()
    with metering(meter), open_file("memory://meter/x.bin") as file:
        assert file.read(10) == b"x" * 10 and file.seek(500) == 500 and len(file.read()) == 500
    assert meter.bytes_read == 510


def test_a_metered_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(256)) * 1000)
    meter = Meter()
    with metering(meter), open_file(str(tmp_path / "x")) as file:
        assert isinstance(file, io.BufferedReader) and file.name == str(tmp_path / "x")
        assert file.read(3) == b"\0\1\2" and file.seek(-1, io.SEEK_END) and file.read() == b"\xff"
        file.seek(0)
        assert len(file.read()) == 256_000
    assert 256_000 < meter.bytes_read < 256_000 * 2 + (1 << 17)


def test_two_connections_count_for_themselves(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 3)
    one, other = suffice.connect(), suffice.connect()
    work = [con.sql(f"SELECT count(*) FROM images('{tmp_path}/*.png')").work.bytes_read for con in (one, other)]
    assert work[0] == work[1] > 0
