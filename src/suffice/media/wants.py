"""Which of the files under a pattern a question about videos (or pictures …) is about."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from suffice.errors import MediaError
from suffice.media.scan import FoundFile, expand, is_url, open_file
from suffice.media.sniff import HEAD_BYTES, KINDS, Kind, sniff


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EXTENSIONS: dict[Kind, frozenset[str]] = {
    "video": _words("mp4 m4v mov mkv webm avi ts m2ts mts mpg mpeg flv ogv wmv asf ivf y4m mxf 3gp"),
    "image": _words("jpg jpeg jfif png gif webp bmp tif tiff avif heic jp2 j2k ico ppm pgm pbm"),
    "document": _words("pdf tif tiff"),
    "text": _words("txt text md markdown rst log csv tsv jsonl ndjson json html htm xml srt vtt eml"),
}
_AUDIO = _words("m4a m4b mka oga ogg opus spx wma weba")


def wants(file: FoundFile, pattern: str, kind: Kind) -> bool:
    """Whether `file`, found by `pattern`, is to be probed as `kind`, and reported as a problem if that fails.

    A pattern that names files (a path, or a glob that ends in an extension: ``*.mp4``) wants all it matches. A folder,
    ``*`` or ``**`` wants what is of this kind by content, and what only claims to be by its extension: an empty
    ``clip.mp4`` is a problem, ``notes.txt`` beside it is not. Texts have no mark in their content, so there only the
    extension tells.
    """
    if _names(pattern, file.path):
        return True
    extension = os.path.splitext(file.path)[1][1:].lower()
    claims = extension in EXTENSIONS[kind]
    found = "text" if kind == "text" else _format(file.path)
    if found is None or found == "text":
        return claims
    return kind in KINDS[found] and extension not in _AUDIO


def wanted(patterns: Sequence[str], kind: Kind, roots: Sequence[str] | None = None) -> list[FoundFile]:
    """The files under `patterns` that are wanted as `kind`, each once.

    Raises:
        MediaError: there is none.
        SufficeError: a pattern or a file lies outside `roots`.
    """
    found = {f.path: f for pattern in patterns for f in expand(pattern, roots) if wants(f, pattern, kind)}
    if not found:
        raise MediaError(f"no {kind} under {', '.join(map(repr, patterns))}")
    return list(found.values())


def _names(pattern: str, path: str) -> bool:
    if not is_url(pattern):
        pattern = os.path.abspath(os.path.expanduser(pattern))
    extension = os.path.splitext(pattern)[1]
    return pattern == path or (bool(extension) and not glob.has_magic(extension) and not os.path.isdir(pattern))


def _format(path: str) -> str | None:
    try:
        with open_file(path) as file:
            return sniff(file.read(HEAD_BYTES))
    except (MediaError, OSError):
        return None
