"""What a file is by its first bytes, whatever it is called."""

from __future__ import annotations

from typing import Literal

Kind = Literal["video", "image", "document", "text"]

HEAD_BYTES = 4096
"""How much of a file :func:`sniff` wants to see."""

KINDS: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("mp4", "matroska", "avi", "mpegts", "mpeg", "flv", "ogg", "asf", "ivf", "y4m", "mxf"), ("video",)),
    **dict.fromkeys(("jpeg", "png", "gif", "webp", "bmp", "avif", "jpeg2000", "ico", "pnm"), ("image",)),
    "heic": ("image",),
    "tiff": ("image", "document"),
    "pdf": ("document",),
    "text": ("text",),
}
"""What each format can be asked for as; the first is what it is when nobody says."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x00\x00\x01\xb3", "mpeg"),
    (0, b"FLV\x01", "flv"),
    (0, b"OggS", "ogg"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"DKIF", "ivf"),
    (0, b"YUV4MPEG2", "y4m"),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "mxf"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "tiff"),
    (0, b"\x00\x00\x00\x0cjP  ", "jpeg2000"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
    (0, b"\x00\x00\x01\x00", "ico"),
    *((4, box, "mp4") for box in (b"moov", b"mdat", b"free", b"skip", b"wide")),
)
_BRANDS = {b"avif": "avif", b"avis": "avif", b"heic": "heic", b"heix": "heic", b"mif1": "heic", b"msf1": "heic"}
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))


def sniff(head: bytes) -> str | None:
    """The format whose mark `head` (the first :data:`HEAD_BYTES` of a file) bears, a key of :data:`KINDS`, or None."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "mp4")
    for offset, mark, name in _MAGIC:
        if head.startswith(mark, offset):
            return name
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if any(head[i : i + 1] == head[i + step : i + step + 1] == b"G" for i, step in ((0, 188), (4, 192))):
        return _text(head) or "mpegts"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n":
        return "pnm"
    return _text(head)


def _text(head: bytes) -> str | None:
    return "text" if head and _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return not head.translate(None, bytes(set(range(256)) - set(_CONTROLS)))
