"""What a segmenter made of a picture, kept so that the next prompt costs only itself."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import numpy as np

from suffice.masks.backend import Segmenter
from suffice.models.protocol import Image

KEPT_IN_MEMORY = 4


@runtime_checkable
class Storable(Protocol):
    """A segmenter whose encodings are arrays that a file can hold."""

    def to_arrays(self, encoded: Any) -> dict[str, Any]: ...

    def from_arrays(self, arrays: dict[str, Any]) -> Any: ...


class Embeddings:
    """Encodings by segmenter and content of the picture.

    Args:
        folder: where arrays are kept between processes (``.npz``, never pickled); None: in memory only.
    """

    def __init__(self, folder: Path | None = None, kept: int = KEPT_IN_MEMORY) -> None:
        self.folder, self.kept = folder, kept
        self.encoded_count = 0
        self._recent: OrderedDict[str, Any] = OrderedDict()
        self._locks: dict[str, Lock] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[Embeddings], tuple[Path | None, int]]:
        """A copy in another process shares what the folder keeps."""
        return Embeddings, (self.folder, self.kept)

    def encode(self, segmenter: Segmenter, image: Image) -> Any:
        """``segmenter.encode(image)``, at most once for one version of it and one content of the picture.

        Different pictures are encoded side by side; whoever asks for one that is being encoded waits for it.
        """
        key = _key(segmenter, image)
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
            being_made = self._locks.setdefault(key, Lock())
        with being_made:
            kept = self._kept(key)
            return self._keep(segmenter, image, key) if kept is None else kept

    def _kept(self, key: str) -> Any:
        with self._lock:
            return self._recent.get(key)

    def _keep(self, segmenter: Segmenter, image: Image, key: str) -> Any:
        try:
            encoded = self._load(segmenter, key) or self._make(segmenter, image, key)
            with self._lock:
                self._recent[key] = encoded
                while len(self._recent) > self.kept:
                    self._recent.popitem(last=False)
            return encoded
        finally:
            with self._lock:
                self._locks.pop(key, None)

    def _make(self, segmenter: Segmenter, image: Image, key: str) -> Any:
        encoded = segmenter.encode(image)
        with self._lock:
            self.encoded_count += 1
        if self.folder is not None and isinstance(segmenter, Storable):
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / f"{key}.part.npz"
            np.savez(partial, **segmenter.to_arrays(encoded))
            partial.replace(self.folder / f"{key}.npz")
        return encoded

    def _load(self, segmenter: Segmenter, key: str) -> Any:
        path = None if self.folder is None else self.folder / f"{key}.npz"
        if path is None or not isinstance(segmenter, Storable) or not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return segmenter.from_arrays(dict(arrays))


def _key(segmenter: Segmenter, image: Image) -> str:
    digest = hashlib.blake2b(f"{segmenter.name} {segmenter.version} {image.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()
