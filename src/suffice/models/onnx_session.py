"""An ONNX graph that loads on first use and may be run from several threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError
from suffice.models.lazy import Lazy

Item = TypeVar("Item")
Tensor = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class GraphChange:
    """A graph is loaded with other bytes in one place, and with other constants.

    Attributes:
        old: what stands in the file, exactly once; `new`: as many bytes in its place.
        constants: names of initializers and what they are instead.
    """

    old: bytes
    new: bytes
    constants: tuple[tuple[str, Tensor], ...]

    def of(self, graph: bytes) -> bytes:
        assert graph.count(self.old) == 1 and len(self.old) == len(self.new)
        return graph.replace(self.old, self.new)


class OnnxSession:
    """Runs the graph in file `path`.

    Args:
        path: the ``.onnx`` file.
        threads: cores one :meth:`run` may use; by default :func:`intra_op_threads`.
        change: what the graph is loaded with instead.
    """

    def __init__(self, path: Path, threads: int | None = None, change: GraphChange | None = None) -> None:
        self.path = path
        self.threads = threads or intra_op_threads()
        self._session: Lazy[Any] = Lazy(lambda: _load(self.path, self.threads, change))

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs by name; raises :class:`ModelError` when the graph cannot load or run."""
        session = self._session()
        try:
            values = session.run(None, dict(inputs))
        except Exception as error:
            raise ModelError(f"{self.path.name} failed: {first_line(error)}") from error
        return dict(zip((output.name for output in session.get_outputs()), values, strict=True))

    def inputs(self) -> Sequence[Any]:
        """Name, shape and type of every input of the graph (onnxruntime's ``NodeArg``)."""
        return tuple(self._session().get_inputs())

    def outputs(self) -> Sequence[Any]:
        """Name, shape and type of every output of the graph."""
        return tuple(self._session().get_outputs())

    def metadata(self) -> Mapping[str, str]:
        """What the exporter wrote about the graph."""
        return dict(self._session().get_modelmeta().custom_metadata_map)

    def parts(self, batch: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """`batch` in the pieces that run fastest: whole on a GPU, one by one on a core, to stay in its cache."""
        size = 1 if self._session().get_providers()[0] == "CPUExecutionProvider" else max(1, len(batch))
        return (batch[start : start + size] for start in range(0, len(batch), size))


@lru_cache(maxsize=64)
def shared_session(path: Path) -> OnnxSession:
    """The one session of this process for `path`, whoever asks."""
    return OnnxSession(path)


def concurrency() -> int:
    """How many threads are worth running one session at once: the cores of this machine, at least 2."""
    return max(2, os.cpu_count() or 1)


def intra_op_threads() -> int:
    """``SUFFICE_ONNX_THREADS`` from the environment, else 1, because callers run several at once."""
    return int(os.environ.get("SUFFICE_ONNX_THREADS", "1"))


def providers() -> list[str]:
    """Where graphs run, best first: CUDA when this onnxruntime has it, and the CPU."""
    import onnxruntime

    present = onnxruntime.get_available_providers()
    return [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in present]


def _load(path: Path, threads: int, change: GraphChange | None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle workers must not spin on cores that decoding and other sessions need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    constants = [(name, onnxruntime.OrtValue.ortvalue_from_numpy(value)) for name, value in _constants(change)]
    for name, value in constants:
        options.add_initializer(name, value)
    try:
        graph = change.of(path.read_bytes()) if change else str(path)
        return onnxruntime.InferenceSession(graph, options, providers=providers())
    except Exception as error:
        raise ModelError(f"cannot load {path}: {first_line(error)}") from error


def _constants(change: GraphChange | None) -> tuple[tuple[str, Tensor], ...]:
    return change.constants if change else ()


def first_line(error: BaseException) -> str:
    """What `error` says, without the rest of a long message."""
    return str(error).strip().partition("\n")[0]


def normalise(planes: Sequence[npt.NDArray[np.uint8]], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pictures uint8 ``[channel, height, width]`` of one size as float32 ``[batch, …]``, ``(x - mean) / std``."""
    pixels = np.stack(planes).astype(np.float32)
    for channel, (centre, scale) in enumerate(zip(mean, std, strict=True)):
        pixels[:, channel] -= np.float32(centre)
        pixels[:, channel] *= np.float32(1 / scale)
    return pixels
