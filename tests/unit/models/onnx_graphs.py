"""Tiny ONNX files with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save_model

Dims = Sequence[int | str | None]


def write_graph(
    path: Path,
    nodes: Sequence[Any],
    inputs: dict[str, tuple[int, Dims]],
    outputs: dict[str, tuple[int, Dims]],
    weights: dict[str, np.ndarray[Any, Any]] | None = None,
    metadata: dict[str, str] | None = None,
    **save: Any,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    checker.check_model(model)
    save_model(model, str(path), **save)
    return path


def channel_means(path: Path, dims: Dims, kind: int = TensorProto.FLOAT, **save: Any) -> Path:
    """Mean of each channel of a picture, ``[batch, channels]``: shows what the graph was fed."""
    axes = [2, 3] if dims[1] in (1, 3) or dims[1] is None else [1, 2]
    channels = dims[1] if axes == [2, 3] else dims[3]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "eye"], ["out"]),
    ]
    weights = {"axes": np.array(axes), "eye": np.eye(int(channels or 3), dtype=np.float32)}
    outputs = {"out": (TensorProto.FLOAT, [dims[0], channels])}
    return write_graph(path, nodes, {"pixels": (kind, dims)}, outputs, weights, **save)


def constant_for_each(path: Path, value: np.ndarray[Any, Any], metadata: dict[str, str] | None = None) -> Path:
    """A graph that answers every picture ``[batch, 3, 64, 64]`` with `value`."""
    nodes = [
        helper.make_node("Shape", ["images"], ["shape"], start=0, end=1),
        helper.make_node("Concat", ["shape", "ones"], ["repeats"], axis=0),
        helper.make_node("Tile", ["value", "repeats"], ["output0"]),
    ]
    weights = {"value": value[None].astype(np.float32), "ones": np.ones(value.ndim, np.int64)}
    inputs = {"images": (TensorProto.FLOAT, ["batch", 3, 64, 64])}
    outputs = {"output0": (TensorProto.FLOAT, ["batch", *value.shape])}
    return write_graph(path, nodes, inputs, outputs, weights, metadata)
