from __future__ import annotations

import io
from pathlib import Path

import fsspec
import numpy as np
import PIL.Image
import pytest
from media_clips import write_clip

from suffice.assets import asset_path
from suffice.errors import MediaError
from suffice.media.probe import probe
from suffice.media.scan import expand
from suffice.media.sniff import Kind, sniff
from suffice.media.wants import wants


def picture_as(format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    PIL.Image.fromarray(noise).save(file, format_, **options)
    return file.getvalue()


CLIP = write_clip(range(0, 1000, 100))
CONTENTS = {
    "clip.mp4": CLIP,
    "clip without extension": CLIP,
    "clip.jpg": CLIP,
    "photo.jpg": picture_as("JPEG"),
    "photo.mp4": picture_as("PNG"),
    "scan.tif": picture_as("TIFF"),
    "bill.pdf": picture_as("PDF"),
    "notes.txt": b"words\n",
    "notes.mp4": b"words\n",
    "empty.mp4": b"",
    "empty.jpg": b"",
    "empty.pdf": b"",
    "empty": b"",
    "zeros.bin": bytes(1000),
    "zeros.mkv": bytes(1000),
    "half.png": picture_as("PNG")[:-100],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in CONTENTS.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("video", {"clip.mp4", "clip without extension", "clip.jpg", "notes.mp4", "empty.mp4", "zeros.mkv"}),
        ("image", {"photo.jpg", "photo.mp4", "scan.tif", "empty.jpg", "half.png"}),
        ("document", {"scan.tif", "bill.pdf", "empty.pdf"}),
        ("text", {"notes.txt"}),
    ],
)
@pytest.mark.parametrize("pattern", ["", "*", "**", "**/*"])
def test_a_folder_gives_files_of_the_kind_and_those_that_claim_to_be(
    folder: Path, pattern: str, kind: Kind, names: set[str]
) -> None:
    full = str(folder / pattern)
    assert {Path(file.path).name for file in expand(full) if wants(file, full, kind)} == names


def test_a_pattern_that_names_files_wants_all_of_them(folder: Path) -> None:
    for pattern, count in (("*.mp4", 4), ("photo.jpg", 1), ("empty", 1), ("zeros.bin", 1)):
        full = str(folder / pattern)
        assert sum(wants(file, full, "video") for file in expand(full)) == count


@pytest.mark.parametrize(
    ("name", "kind", "format_", "size", "count"),
    [
        ("clip.mp4", "video", "mp4", (64, 48), 10),
        ("clip.jpg", "video", "mp4", (64, 48), 10),
        ("photo.jpg", "image", "jpeg", (32, 24), 1),
        ("photo.mp4", "image", "png", (32, 24), 1),
        ("scan.tif", "image", "tiff", (32, 24), 1),
        ("bill.pdf", "document", "pdf", (0, 0), 1),
        ("notes.txt", "text", "text", (0, 0), 1),
    ],
)
def test_content_decides_not_the_name(
    folder: Path, name: str, kind: Kind, format_: str, size: tuple[int, int], count: int
) -> None:
    for asked in (None, kind):
        blob = probe(str(folder / name), asked)
        assert (blob.kind, blob.format, (blob.width, blob.height), blob.count) == (kind, format_, size, count)
        assert blob.problem == ""


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("empty.mp4", "video", "is empty"),
        ("photo.mp4", "video", r"is a picture \(png\), not a video"),
        ("notes.mp4", "video", r"is a text \(text\), not a video"),
        ("clip.jpg", "image", r"is a video \(mp4\), not a picture"),
        ("zeros.mkv", "video", "its content is unknown"),
        ("half.png", "image", "cannot be read as a picture"),
        ("nowhere.mp4", "video", "No such file"),
    ],
)
def test_what_cannot_be_used_says_why_in_one_line(folder: Path, name: str, kind: Kind, reason: str) -> None:
    with pytest.raises(MediaError, match=f"{name}.*{reason}") as caught:
        probe(str(folder / name), kind)
    assert "\n" not in str(caught.value)


def test_a_jpeg_with_something_after_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(picture_as("JPEG") + bytes(10_000))
    assert probe(str(path)).kind == "image"
    path.write_bytes(picture_as("JPEG")[:-300])
    with pytest.raises(MediaError):
        probe(str(path))


def test_a_tiff_is_a_document_when_asked_for_as_one(folder: Path) -> None:
    assert probe(str(folder / "scan.tif"), "document").page_sizes == ((32, 24),)


def test_object_stores() -> None:
    fsspec.filesystem("memory").pipe("/reel/clip", CLIP)
    (found,) = expand("memory://reel")
    assert wants(found, "memory://reel", "video")
    assert probe(found.path).count == 10
    fsspec.filesystem("memory").rm("/reel", recursive=True)


@pytest.mark.parametrize(
    ("format_", "expected"),
    [("matroska", "matroska"), ("mpegts", "mpegts"), ("avi", "avi"), ("flv", "flv"), ("mov", "mp4")],
)
def test_containers_are_told_by_their_first_bytes(format_: str, expected: str) -> None:
    assert sniff(write_clip(range(0, 1000, 100), format_=format_)[:4096]) == expected


@pytest.mark.parametrize("data", ["Grüße".encode(), b"G" * 4096, b"Fl\xfcsse", "x".encode("utf-16")])
def test_texts_are_told_by_having_no_control_bytes(data: bytes) -> None:
    assert sniff(data) == "text"


def test_the_packaged_clip() -> None:
    blob = probe(str(asset_path("pedestrians.mp4")))
    assert (blob.kind, blob.width, blob.height, blob.count) == ("video", 768, 576, 795)
