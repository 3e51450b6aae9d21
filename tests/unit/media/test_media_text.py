from __future__ import annotations

import io
from pathlib import Path

import pytest

from suffice.errors import MediaError
from suffice.media import text
from suffice.media.text import TextChunk, read_texts

WORDS = "Straße und Fluß\n"


@pytest.mark.parametrize(
    ("codec", "said"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("latin-1", "latin-1")],
)
def test_the_encoding_is_found_and_said(codec: str, said: str) -> None:
    assert read_texts(io.BytesIO(WORDS.encode(codec))) == [TextChunk(0, WORDS, said)]


def test_utf_16_of_the_other_byte_order() -> None:
    data = b"\xfe\xff" + WORDS.encode("utf-16-be")
    assert read_texts(io.BytesIO(data))[0].text == WORDS


@pytest.mark.parametrize(("name", "count"), [("a.txt", 1), ("a.md", 1), ("a.csv", 3), ("a.jsonl", 3), ("A.LOG", 3)])
def test_the_name_decides_the_pieces_unless_told(tmp_path: Path, name: str, count: int) -> None:
    path = tmp_path / name
    path.write_bytes(b"one\r\n\r\ntwo\r\nthree\r\n")
    assert len(read_texts(str(path))) == count
    assert [chunk.text.strip() for chunk in read_texts(str(path), "line")] == ["one", "two", "three"]
    assert [chunk.text.split() for chunk in read_texts(str(path), "paragraph")] == [["one"], ["two", "three"]]
    assert [chunk.chunk_index for chunk in read_texts(str(path), "line")] == [0, 1, 2]


def test_a_blank_file_has_no_pieces() -> None:
    assert read_texts(io.BytesIO(b" \n\n")) == []


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"ab\0cd")
    with pytest.raises(MediaError, match=r"a\.txt' has zero bytes"):
        read_texts(str(path))


def test_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BYTES_MAX", 4)
    with pytest.raises(MediaError, match="too large"):
        read_texts(io.BytesIO(b"12345"))
