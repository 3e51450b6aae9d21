"""Text files in pieces."""

from __future__ import annotations

import codecs
import os
import re
from typing import BinaryIO, Literal, NamedTuple

from suffice.errors import MediaError
from suffice.media.scan import name_of, open_file

BYTES_MAX = 64 << 20
"""Larger files are refused: they are data, for DuckDB's own readers."""

Split = Literal["file", "paragraph", "line"]
_BY_LINE = {".csv", ".tsv", ".jsonl", ".ndjson", ".log"}
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class TextChunk(NamedTuple):
    """A piece of a text file: its place among the pieces, its text, and the encoding the file was read in."""

    chunk_index: int
    text: str
    encoding: str


def read_texts(file: str | BinaryIO, split: Split | None = None) -> list[TextChunk]:
    """The pieces of a text file; blank ones are left out.

    Args:
        file: path, URL or binary file.
        split: one piece a ``file``, ``paragraph`` (blank lines between) or ``line``. By default a line for csv, tsv,
            jsonl, ndjson and log (a csv's header is a line like any other: for columns use DuckDB's ``read_csv``), else
            the whole file.

    The encoding is UTF-16 or UTF-8 by byte order mark, else UTF-8, else Latin-1, which any bytes are valid in: the
    `encoding` of the chunks says so, for then letters may be wrong.

    Raises:
        MediaError: zero bytes in it (so it is no text), or larger than :data:`BYTES_MAX`.
    """
    name = name_of(file)
    text, encoding = _decode(_read(file, name), name)
    path = file if isinstance(file, str) else str(getattr(file, "name", ""))
    split = split or ("line" if os.path.splitext(path)[1].lower() in _BY_LINE else "file")
    pieces = _cut(text.replace("\r\n", "\n"), split)
    return [TextChunk(i, piece, encoding) for i, piece in enumerate(piece for piece in pieces if piece.strip())]


def _read(file: str | BinaryIO, name: str) -> bytes:
    if isinstance(file, str):
        with open_file(file) as opened:
            return _read(opened, name)
    data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise MediaError(f"{name} is larger than {BYTES_MAX >> 20} MiB: too large for a text")
    return data


def _decode(data: bytes, name: str) -> tuple[str, str]:
    encoding = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in data:
        raise MediaError(f"{name} has zero bytes in it: not a text")
    try:
        return data.decode(encoding), encoding.removesuffix("-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _cut(text: str, split: Split) -> list[str]:
    if split == "line":
        return text.split("\n")
    return re.split(r"\n\s*\n", text) if split == "paragraph" else [text]
