"""Identity of weights on disk, for cache keys."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def weights_version(revision: int, *paths: Path) -> str:
    """``HASH-REVISION``: HASH of the bytes of all `paths`, REVISION of the code that feeds and reads them."""
    digests = [_digest(path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths]
    digest = digests[0] if len(digests) == 1 else hashlib.blake2b(b"".join(digests)).digest()
    return f"{digest.hex()[:12]}-{revision}"


@lru_cache(maxsize=256)
def _digest(path: Path, _mtime_ns: int, _size_bytes: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
