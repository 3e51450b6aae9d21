"""Clips in files: frames, length and settings come back from every container."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from suffice.diffusion.clip.read_settings import read_settings
from suffice.diffusion.clip.source import natural, open_source
from suffice.diffusion.clip.write import write_clip
from suffice.errors import MediaError, UsageError

SETTINGS = {"timeline": '0: ä "quoted", with: colons\n8: b', "seed": 7, "loras": ["x=0.5"]}
SUFFIXES = (".mp4", ".webm", ".gif", ".webp", ".png", "")


def _frames(count: int = 7) -> list[np.ndarray]:
    frames = []
    for number in range(count):
        frame = np.full((32, 48, 3), 40, np.uint8)
        frame[8:24, 4 + 4 * number : 20 + 4 * number] = (220, 60, 40)
        frames.append(frame)
    return frames


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_goes_in_comes_out(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    assert write_clip(path, iter(_frames()), 8, SETTINGS) == 7
    assert {**read_settings(path), **SETTINGS} == read_settings(path)
    source = open_source(str(path))
    assert source.count == 7
    for found, wanted in zip(source.read(range(7)), _frames(), strict=True):
        assert found.shape == wanted.shape and np.abs(found.astype(int) - wanted).mean() < 4


def test_lossless_ones_are_lossless_and_a_single_frame_is_a_picture(tmp_path: Path) -> None:
    for name in ("clip.png", "folder"):
        write_clip(tmp_path / name, iter(_frames()), 8, SETTINGS)
        found = open_source(str(tmp_path / name)).read(range(7))
        assert all(np.array_equal(a, b) for a, b in zip(found, _frames(), strict=True))
    write_clip(tmp_path / "one.png", iter(_frames(1)), 8, SETTINGS)
    assert open_source(str(tmp_path / "one.png")).count is None
    assert read_settings(tmp_path / "one.png") == SETTINGS


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_interrupted_it_keeps_what_is_finished(tmp_path: Path, suffix: str) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield from _frames(3)
        raise KeyboardInterrupt

    path = tmp_path / f"clip{suffix}"
    with pytest.raises(KeyboardInterrupt):
        write_clip(path, frames(), 8, SETTINGS)
    assert open_source(str(path)).count == 3
    assert not list(tmp_path.glob(".*"))


def test_mp4_is_what_players_show(tmp_path: Path) -> None:
    import av

    write_clip(tmp_path / "clip.mp4", iter(_frames()), 12, SETTINGS)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, float(stream.average_rate or 0)) == ("h264", "yuv420p", 12)


def test_gif_lasts_as_long_as_the_clip(tmp_path: Path) -> None:
    import PIL.Image

    write_clip(tmp_path / "clip.gif", iter(_frames()), 15, SETTINGS)
    with PIL.Image.open(tmp_path / "clip.gif") as picture:
        lasts = 0
        for number in range(7):
            picture.seek(number)
            lasts += picture.info["duration"]
    assert lasts == round(700 / 15) * 10


def test_frames_in_a_folder_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert sorted(["10.png", "2.png", "a1.png"], key=natural) == ["2.png", "10.png", "a1.png"]


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="clips are written as"):
        write_clip(tmp_path / "clip.mpg", iter(_frames()), 8, {})
    with pytest.raises(MediaError, match="no frames"):
        write_clip(tmp_path / "clip.gif", iter([]), 8, {})
    (tmp_path / "clip.txt").write_text("hello")
    with pytest.raises(MediaError, match="neither a video nor a picture"):
        open_source(str(tmp_path / "clip.txt"))
    with pytest.raises(MediaError, match=r"there is no"):
        open_source(str(tmp_path / "clip.pmg"))
    write_clip(tmp_path / "x", iter(_frames(1)), 8, {})
    (tmp_path / "x" / "settings.json").write_text(json.dumps([1]))
    with pytest.raises(MediaError, match="holds no settings"):
        read_settings(tmp_path / "x")
