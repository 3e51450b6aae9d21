from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from media_clips import number_of, write_clip

from suffice.errors import MediaError
from suffice.media.image import Image
from suffice.media.load import Located, load_images
from suffice.media.scan import content_hash, describe
from suffice.media.video import DecodeStats, index_video


class Shelf:
    """Files by content hash, and how often they were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.places, self.asked = folder, {}, []

    def put(self, name: str, data: bytes) -> str:
        path = str(self.folder / name)
        Path(path).write_bytes(data)
        self.places[content_hash(path)] = Located(path, describe(path).stamp)
        return content_hash(path)

    def locate(self, file_hash: str) -> Located:
        self.asked.append(file_hash)
        if file_hash not in self.places:
            raise MediaError(f"no file has the hash {file_hash}")
        return self.places[file_hash]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def jpeg() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (40, 20), (10, 200, 30)).save(file, "PNG")
    return file.getvalue()


def tiff() -> bytes:
    file = io.BytesIO()
    pages = [PIL.Image.new("L", (8, 8), level) for level in (10, 20, 30)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    return file.getvalue()


def loaded(references: list[str], locate: Callable[[str], Located], **options: object) -> list[Image | MediaError]:
    out = dict(load_images(references, locate, **options))
    assert sorted(out) == list(range(len(references)))
    return [out[i] for i in range(len(references))]


def test_any_order_of_files_frames_and_pages(shelf: Shelf) -> None:
    clip, other = shelf.put("a", write_clip(range(0, 4000, 100))), shelf.put("b", write_clip(range(0, 2000, 100)))
    picture, scan = shelf.put("c", jpeg()), shelf.put("d", tiff())
    references = [
        f"vid:{clip}#31",
        f"doc:{scan}#2",
        f"vid:{other}#7",
        f"img:{picture}",
        f"vid:{clip}#4",
        f"doc:{scan}#0",
    ]
    a, b, c, d, e, f = loaded(references, shelf.locate)
    assert [number_of(image) for image in (a, c, e)] == [31, 7, 4]
    assert d.shape == (20, 40, 3)
    assert (b.max(), f.max()) == (30, 10)
    assert len(shelf.asked) == 4


def test_a_frame_is_decoded_once_for_all_its_crops(shelf: Shelf) -> None:
    clip, stats = shelf.put("a", write_clip(range(0, 4000, 100))), DecodeStats()
    references = [f"vid:{clip}#25@{x},0,{x + 8},48" for x in range(0, 64, 8)] + [f"vid:{clip}#25"] * 2
    *crops, whole, again = loaded(references, shelf.locate, stats=stats)
    assert stats.converted == 1
    np.testing.assert_array_equal(np.concatenate(crops, axis=1), whole)
    np.testing.assert_array_equal(again, whole)


def test_crops_nest_and_are_clipped(shelf: Shelf) -> None:
    picture = shelf.put("a", jpeg())
    (whole, clipped, nested, empty, backward) = loaded(
        [f"img:{picture}{cut}" for cut in ("", "@-5,-5,10,99", "@10,5,30,15@5,5,99,99", "@40,0,50,9", "@9,9,3,3")],
        shelf.locate,
    )
    assert (clipped.shape, nested.shape) == ((20, 10, 3), (5, 15, 3))
    np.testing.assert_array_equal(nested, whole[10:15, 15:30])
    assert "(40, 0, 50, 9) leaves nothing of a picture of 40 x 20" in str(empty)
    assert isinstance(backward, MediaError)


def test_one_bad_row_does_not_hurt_the_others(shelf: Shelf) -> None:
    clip, bad = shelf.put("a", write_clip(range(0, 1000, 100))), shelf.put("b", b"not a picture at all")
    rows = [f"vid:{clip}#3", f"vid:{clip}#10", "nonsense", f"img:{bad}", f"vid:{'0' * 32}#1", f"doc:{clip}#0"]
    good, beyond, nonsense, broken, unknown, no_document = loaded(rows, shelf.locate)
    assert number_of(good) == 3
    assert "has no frame 10, only 0 to 9" in str(beyond)
    assert "'nonsense' is not an image reference" in str(nonsense)
    assert "not a picture" in str(broken)
    assert "no file has the hash 0000" in str(unknown)
    assert isinstance(no_document, MediaError)


@pytest.mark.parametrize("after", [b"changed", None])
def test_a_file_that_changed_is_an_error_not_other_pixels(shelf: Shelf, after: bytes | None) -> None:
    clip, picture = shelf.put("a", write_clip(range(0, 1000, 100))), shelf.put("b", jpeg())
    for name in "ab":
        (shelf.folder / name).unlink() if after is None else (shelf.folder / name).write_bytes(after)
    for row in loaded([f"vid:{clip}#3", f"img:{picture}"], shelf.locate):
        assert isinstance(row, MediaError)
        assert ("is gone since" if after is None else "has changed since") in str(row)


def test_an_index_at_hand_is_used(shelf: Shelf) -> None:
    clip = shelf.put("a", write_clip(range(0, 1000, 100)))
    place = shelf.places[clip]
    located = Located(place.path, place.stamp, index_video(place.path))
    (image,) = loaded([f"vid:{clip}#9"], lambda _: located)
    assert number_of(image) == 9


def test_rows_come_while_later_files_wait(shelf: Shelf) -> None:
    first, second = shelf.put("a", jpeg()), shelf.put("b", jpeg() + b"x")
    rows = load_images([f"img:{first}", f"img:{second}"], shelf.locate)
    assert next(rows)[0] == 0
    assert shelf.asked == [first]
