"""Files that an ONNX file keeps its weights in."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

# The key of onnx.TensorProto.external_data that names a file: field 1 "location", then field 2, its length and text.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x80-\xff]?[\x00-\x7f])")


def onnx_files(path: Path) -> list[Path]:
    """The graph itself and the files of weights outside it that exist, which are part of its content."""
    if path.stat().st_size == 0:
        return [path]
    names = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for match in _LOCATION.finditer(data):
            low, *high = match[1]
            length = (low & 0x7F) | (high[0] << 7 if high else 0)
            names.add(data[match.end() : match.end() + length])
    outside = (path.parent / name.decode("utf-8", "replace") for name in sorted(names))
    return [path, *(each for each in outside if each.is_file())]
