from __future__ import annotations

import hashlib
import os
from pathlib import Path

from suffice.models.weights import weights_version


def test_names_content_and_revision(tmp_path: Path) -> None:
    one, other = tmp_path / "one.onnx", tmp_path / "other.onnx"
    one.write_bytes(b"weights")
    other.write_bytes(b"weights")
    expected = hashlib.blake2b(b"weights").hexdigest()[:12]
    assert weights_version(3, one) == weights_version(3, other) == f"{expected}-3"
    assert weights_version(4, one) != weights_version(3, one)
    assert weights_version(3, one, other) != weights_version(3, one)


def test_follows_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"before")
    before = weights_version(1, path)
    path.write_bytes(b"after!")
    os.utime(path, ns=(1, 1))
    assert weights_version(1, path) != before
