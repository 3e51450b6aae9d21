"""Output tensors of an ONNX graph to rows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError, UsageError, nearest
from suffice.models.detection_columns import DETECTION_COLUMNS
from suffice.models.onnx_feed import DTYPES, Placed, listing
from suffice.models.onnx_settings import OnnxSettings, Task
from suffice.models.protocol import Column, Row
from suffice.models.yolo_boxes import yolo_class_count, yolo_detections

Tensor = npt.NDArray[Any]
Read = Callable[[Mapping[str, Tensor], Sequence[Any]], list[Row]]
IMAGENET_COUNTS = (1000, 1001, 21841, 21843)


class Head(NamedTuple):
    """What a graph gives: columns, and how to read them from one input's tensors and its encoded arguments."""

    tensor_names: tuple[str, ...]
    columns: tuple[Column, ...]
    returns: Literal["scalar", "rows"]
    read: Read


def infer_task(outputs: Sequence[Any], metadata: Mapping[str, str], has_labels: bool) -> Task:
    """What the shapes of `outputs` and the exporter's notes say; ``raw`` when they say nothing."""
    if metadata.get("task") == "detect" and len(outputs) == 1 and len(outputs[0].shape) == 3:
        return "detect_yolo"
    if has_labels:
        return "classify"
    if len(outputs) != 1 or outputs[0].type not in ("tensor(float)", "tensor(double)", "tensor(float16)"):
        return "raw"
    shape = outputs[0].shape
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return "regress"
    if len(shape) == 2:
        return "classify" if shape[1] in IMAGENET_COUNTS else "embed"
    return "raw"


def exported_labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The class names that YOLO exporters leave in the graph (``{0: 'person', …}``), or none."""
    try:
        names = ast.literal_eval(metadata.get("names", "{}"))
        return tuple(str(names[index]) for index in range(len(names)))
    except (ValueError, SyntaxError, KeyError, TypeError):
        return ()


def make_head(file: str, outputs: Sequence[Any], settings: OnnxSettings, labels: tuple[str, ...]) -> Head:
    """The head for ``settings.task``.

    Raises:
        UsageError: no output of that name or of the shape the task needs, or labels of another number.
    """
    if settings.returns is not None and settings.task != "classify":
        raise UsageError(f"{file}: option returns is for task 'classify', not {settings.task!r}")
    if settings.task == "raw":
        return _raw(file, outputs, settings)
    ranks = {"regress": (1, 2), "embed": (2, 3, 4), "classify": (2,), "detect_yolo": (3,)}[str(settings.task)]
    node = _choose(file, outputs, settings, ranks)
    if settings.task == "regress":
        return Head((node.name,), (Column("value", "DOUBLE"),), "scalar", partial(_read_number, file, node.name))
    if settings.task == "embed":
        return Head((node.name,), (Column("embedding", "FLOAT[]"),), "scalar", partial(_read_vector, file, node.name))
    if settings.task == "detect_yolo":
        _check_yolo(file, node, labels)
        return Head((node.name,), DETECTION_COLUMNS, "rows", partial(_read_yolo, node.name, settings, labels))
    _check_labels(file, node, node.shape[1], labels)
    if settings.returns == "rows":
        columns = (Column("label", "VARCHAR"), Column("score", "DOUBLE"))
        return Head((node.name,), columns, "rows", partial(_read_classes, node.name, labels, settings.top_k))
    return Head((node.name,), (Column("label", "VARCHAR"),), "scalar", partial(_read_label, node.name, labels))


def _choose(file: str, outputs: Sequence[Any], settings: OnnxSettings, ranks: Sequence[int]) -> Any:
    names = [node.name for node in outputs]
    if settings.output is not None and settings.output not in names:
        hint = nearest(settings.output, names) or f"; its outputs are {', '.join(names)}"
        raise UsageError(f"{file} has no output {settings.output!r}{hint}")
    asked = [node for node in outputs if settings.output in (None, node.name)]
    fitting = [node for node in asked if len(node.shape) in ranks and node.type.startswith("tensor(")]
    if not fitting:
        shapes = listing(asked).partition(" (")[2].removesuffix(")")
        wanted, known = " or ".join(map(str, ranks)), ", ".join(get_args(Task))
        raise UsageError(f"{file}: {settings.task!r} needs an output of {wanted} axes, got {shapes} (tasks: {known})")
    return fitting[0]


def _check_labels(file: str, node: Any, count: Any, labels: tuple[str, ...]) -> None:
    if labels and isinstance(count, int) and count != len(labels):
        raise UsageError(f"{file}: {len(labels)} labels for the {count} classes of output {node.name!r}")


def _check_yolo(file: str, node: Any, labels: tuple[str, ...]) -> None:
    if all(isinstance(size, int) for size in node.shape[1:]):
        _check_labels(file, node, yolo_class_count(cast("tuple[int, int]", tuple(node.shape[1:]))), labels)


def _raw(file: str, outputs: Sequence[Any], settings: OnnxSettings) -> Head:
    ranks = range(1, 9)
    _choose(file, outputs, settings, ranks)
    chosen = [node for node in outputs if settings.output in (None, node.name)]
    for node in chosen:
        if node.type not in DTYPES or not node.shape:
            hint = f"; name one of {', '.join(each.name for each in outputs)} in option output"
            raise UsageError(f"{file}: output {node.name!r} is a {node.type}, not a tensor with a batch axis{hint}")
    columns = tuple(Column(node.name, _raw_type(node)) for node in chosen)
    names = tuple(node.name for node in chosen)
    return Head(names, columns, "scalar", partial(_read_raw, names))


def _raw_type(node: Any) -> str:
    return DTYPES[node.type][0] + "[]" * (len(node.shape) - 1)


def _read_raw(names: Sequence[str], outputs: Mapping[str, Tensor], _arguments: Sequence[Any]) -> list[Row]:
    return [tuple(outputs[name].tolist() for name in names)]


def _read_number(file: str, name: str, outputs: Mapping[str, Tensor], _arguments: Sequence[Any]) -> list[Row]:
    value = outputs[name]
    if value.size != 1:
        raise ModelError(f"{file}: task 'regress' needs one number an input, output {name!r} has {value.size}")
    return [(float(value.reshape(-1)[0]),)]


def _read_vector(file: str, name: str, outputs: Mapping[str, Tensor], _arguments: Sequence[Any]) -> list[Row]:
    value = outputs[name]
    if value.size != max(value.shape):
        shape = list(value.shape)
        raise ModelError(f"{file}: task 'embed' needs one vector an input, output {name!r} has shape {shape}")
    return [(value.reshape(-1).tolist(),)]


def _read_label(
    name: str, labels: tuple[str, ...], outputs: Mapping[str, Tensor], _arguments: Sequence[Any]
) -> list[Row]:
    return [(_label(labels, int(outputs[name].argmax())),)]


def _read_classes(
    name: str, labels: tuple[str, ...], top_k: int, outputs: Mapping[str, Tensor], _arguments: Sequence[Any]
) -> list[Row]:
    scores = probabilities(outputs[name])
    order = np.argsort(-scores, kind="stable")[:top_k]
    return [(_label(labels, int(index)), float(scores[index])) for index in order]


def _read_yolo(
    name: str, settings: OnnxSettings, labels: tuple[str, ...], outputs: Mapping[str, Tensor], arguments: Sequence[Any]
) -> list[Row]:
    found = yolo_detections(outputs[name], settings.min_score, settings.iou_max)
    placed = next(argument for argument in arguments if isinstance(argument, Placed))
    boxes_xyxy = placed.placement.boxes_in_picture(found.boxes_xyxy)
    rows = zip(found.class_ids.tolist(), found.scores.tolist(), boxes_xyxy.tolist(), strict=True)
    return [(index, _label(labels, class_id), score, *box) for index, (class_id, score, box) in enumerate(rows)]


def _label(labels: tuple[str, ...], index: int) -> str:
    return labels[index] if index < len(labels) else str(index)


def probabilities(scores: Tensor) -> npt.NDArray[np.float64]:
    """`scores` ``[classes]`` when they are probabilities already (not negative, sum 1 ± 0.001), else their softmax."""
    values = scores.astype(np.float64)
    if values.min(initial=0) >= 0 and abs(values.sum() - 1) < 1e-3:
        return values
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())
