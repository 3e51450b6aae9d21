"""Open an index by its name: ``faiss``, ``flat``, ``lancedb``, ``chroma``, ``weaviate:http://…``."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from suffice.errors import UsageError, nearest
from suffice.store.vectors.protocol import VectorIndex

NAMES = ("faiss", "flat", "lancedb", "chroma", "weaviate")

_MODULES = {"faiss": "faiss", "lancedb": "lancedb", "chroma": "chromadb", "weaviate": "weaviate"}


def default_index() -> str:
    """FAISS where it is installed, else numpy."""
    return "faiss" if find_spec("faiss") is not None else "flat"


def open_index(kind: str, of: str, width: int, folder: Path | None) -> VectorIndex:
    """The index `kind` for the embeddings `of` (any text that tells them from others), of `width` numbers each.

    It is kept in `folder` from one process to the next; without one, and always by ``flat``, in memory.

    Raises:
        UsageError: nobody knows the kind, it is not installed, or it needs a folder.
    """
    name, _, place = kind.partition(":")
    if name not in NAMES:
        raise UsageError(f"there is no index {name!r}{nearest(name, NAMES)}; there are {', '.join(NAMES)}")
    if name in _MODULES and find_spec(_MODULES[name]) is None:
        raise UsageError(f"the index {name!r} is not installed: pip install 'suffice[vector]', or take index => 'flat'")
    title = "v" + hashlib.blake2b(f"{of} {width}".encode(), digest_size=12).hexdigest()
    return _opened(name, place, title, width, folder)


def _opened(name: str, place: str, title: str, width: int, folder: Path | None) -> VectorIndex:
    if name == "weaviate":
        from suffice.store.vectors.weaviate_index import WeaviateIndex

        return WeaviateIndex(place or "http://localhost:8080", title)
    if name == "flat":
        from suffice.store.vectors.flat import FlatIndex

        return FlatIndex(width)
    if folder is None and name != "faiss":
        raise UsageError(f"the index {name!r} is kept in files, and this store has none: connect to a file")
    if folder is not None:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return _embedded(name, title, width, folder)


def _embedded(name: str, title: str, width: int, folder: Path | None) -> VectorIndex:
    if name == "faiss":
        from suffice.store.vectors.faiss_index import FaissIndex

        return FaissIndex(width, None if folder is None else folder / name / f"{title}.faiss")
    assert folder is not None
    if name == "lancedb":
        from suffice.store.vectors.lance import LanceIndex

        return LanceIndex(width, folder / name, title)
    from suffice.store.vectors.chroma import ChromaIndex

    return ChromaIndex(folder / name, title)
