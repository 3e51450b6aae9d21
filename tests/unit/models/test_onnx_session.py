from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suffice.errors import ModelError
from suffice.models import onnx_session
from suffice.models.onnx_session import OnnxSession, concurrency, intra_op_threads


class FakeSession:
    def __init__(self, provider: str) -> None:
        self.provider = provider

    def get_providers(self) -> list[str]:
        return [self.provider]


@pytest.mark.parametrize(("provider", "sizes"), [("CPUExecutionProvider", [1, 1, 1]), ("CUDAExecutionProvider", [3])])
def test_parts(provider: str, sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_session, "_load", lambda path, threads, change: FakeSession(provider))
    session = OnnxSession(Path("net.onnx"))
    assert [len(part) for part in session.parts(["a", "b", "c"])] == sizes
    assert list(session.parts([])) == []


def test_loads_once_on_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[str, int]] = []

    def load(path: Path, threads: int, change: None) -> FakeSession:
        loaded.append((path.name, threads))
        return FakeSession("CPUExecutionProvider")

    monkeypatch.setattr(onnx_session, "_load", load)
    session = OnnxSession(Path("net.onnx"), threads=3)
    assert loaded == []
    list(session.parts("ab"))
    list(session.parts("ab"))
    assert loaded == [("net.onnx", 3)]


def test_a_broken_file_is_a_one_line_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(ModelError, match=r"cannot load .*broken\.onnx: ") as error:
        OnnxSession(path).run({"image": np.zeros(1)})
    assert "\n" not in str(error.value)


def test_threads_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUFFICE_ONNX_THREADS", raising=False)
    assert intra_op_threads() == 1
    monkeypatch.setenv("SUFFICE_ONNX_THREADS", "4")
    assert OnnxSession(Path("net.onnx")).threads == 4
    assert concurrency() >= 2
