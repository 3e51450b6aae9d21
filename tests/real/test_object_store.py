"""Media in an S3-compatible store: a real server on this machine, spoken to over HTTP by s3fs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from object_server import missing, object_server
from PIL import Image

import suffice
from suffice.assets import asset_path

pytestmark = [pytest.mark.server, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[dict[str, str]]:
    with object_server() as environment:
        yield environment


@pytest.fixture
def bucket(endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A bucket with two pictures, a clip and a text that is none of these."""
    import s3fs

    for name, value in endpoint.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    store = s3fs.S3FileSystem()
    name = f"town-{tmp_path.name.replace('_', '-').lower()}"[:60]
    store.mkdir(name)
    for file, level in (("a b.png", 10), ("deep/it's.png", 90)):
        Image.fromarray(np.full((6, 8, 3), level, np.uint8)).save(tmp_path / "x.png")
        store.pipe(f"{name}/{file}", (tmp_path / "x.png").read_bytes())
    store.pipe(f"{name}/notes.txt", b"nothing to see")
    store.pipe(f"{name}/clip.mp4", asset_path("pedestrians.mp4").read_bytes())
    return name


@suffice.model(outputs={"level": "DOUBLE"}, returns="scalar", inputs={"image": "IMAGE"})
def level(image):  # type: ignore[no-untyped-def]
    return float(image.mean())


def levels(con: suffice.Connection, bucket: str) -> list[tuple[str, float]]:
    rows = con.sql(f"SELECT path, level(image) FROM images('s3://{bucket}/**/*.png') ORDER BY path").fetchall()
    return [(path.removeprefix(f"s3://{bucket}/"), value) for path, value in rows]


def test_pictures_are_read_and_changes_are_noticed(bucket: str, tmp_path: Path) -> None:
    import s3fs

    con = suffice.connect(tmp_path / "x.suffice")
    con.register("level", level)
    assert levels(con, bucket) == [("a b.png", 10), ("deep/it's.png", 90)]
    again = con.sql(f"SELECT level(image) FROM images('s3://{bucket}/**/*.png')").work
    assert again.model_calls["level"].done == 0 and again.model_calls["level"].cached == 2
    store = s3fs.S3FileSystem()
    Image.fromarray(np.full((6, 8, 3), 50, np.uint8)).save(tmp_path / "x.png")
    store.pipe(f"{bucket}/a b.png", (tmp_path / "x.png").read_bytes())
    store.pipe(f"{bucket}/new.png", (tmp_path / "x.png").read_bytes())
    store.rm(f"{bucket}/deep/it's.png")
    assert levels(con, bucket) == [("a b.png", 50), ("new.png", 50)]


def test_few_frames_of_a_video_are_few_ranges(bucket: str) -> None:
    con = suffice.connect(roots=[f"s3://{bucket}"])
    con.register("level", level)
    frames = f"frames('s3://{bucket}/clip.mp4')"
    assert con.sql(f"SELECT count(*) FROM {frames}").fetchall() == [(795,)]
    answer = con.sql(f"SELECT frame_index, level(image) FROM {frames} WHERE frame_index IN (400, 401) ORDER BY 1")
    here = suffice.connect()
    here.register("level", level)
    local = here.sql(
        f"SELECT frame_index, level(image) FROM frames('{asset_path('pedestrians.mp4')}')"
        " WHERE frame_index IN (400, 401) ORDER BY 1"
    )
    assert answer.fetchall() == local.fetchall()
    assert 0 < answer.work.bytes_read < asset_path("pedestrians.mp4").stat().st_size / 2
    with pytest.raises(suffice.SufficeError, match="outside the allowed"):
        con.sql("SELECT count(*) FROM images('s3://elsewhere/*.png')")


def test_what_is_not_there_is_said_in_one_line(bucket: str) -> None:
    con = suffice.connect()
    with pytest.raises(suffice.SufficeError, match=r"clp\.mp4' matches no file.*clip\.mp4"):
        con.sql(f"SELECT count(*) FROM frames('s3://{bucket}/clp.mp4')")
    with pytest.raises(suffice.SufficeError, match="nowhere-at-all") as caught:
        con.sql("SELECT count(*) FROM frames('s3://nowhere-at-all/x.mp4')")
    assert "\n" not in str(caught.value)
