"""``CREATE MODEL name USING 'onnx:FILE'``: any ONNX graph of pictures, numbers or texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError, UsageError, nearest
from suffice.models.batch_model import BatchModel
from suffice.models.labels import labels_identity, read_labels
from suffice.models.onnx_external import onnx_files
from suffice.models.onnx_feed import Feed, make_feeds
from suffice.models.onnx_head import Head, exported_labels, infer_task, make_head
from suffice.models.onnx_session import OnnxSession, concurrency
from suffice.models.onnx_settings import OnnxSettings
from suffice.models.options import plain_settings, read_settings
from suffice.models.protocol import Model, Row, Signature
from suffice.models.roots import check_readable
from suffice.models.shared import shared
from suffice.models.weights import weights_version

Tensor = npt.NDArray[Any]
CODE_REVISION = 1


def onnx(name: str, locator: str, **options: Any) -> Model:
    """The model in file `locator`; the options are those of :class:`~suffice.models.onnx_settings.OnnxSettings`.

    Inputs, outputs, sizes, layout and batch axis are read off the graph, which is therefore loaded here.

    Raises:
        UsageError: no such file, an option that does not exist or does not fit the graph, or a graph of a family
            that needs more than tensors (a tokenizer).
        ModelError: the file is not an ONNX graph that onnxruntime can load.
    """
    path = _existing(locator)
    settings = read_settings(OnnxSettings, path.name, options)
    version = weights_version(CODE_REVISION, *onnx_files(path))
    session = shared((path, version), lambda: OnnxSession(path))
    given = settings.labels or exported_labels(session.metadata())
    labels = read_labels(path.name, given, path.parent)
    asked = [node for node in session.outputs() if settings.output in (None, node.name)]
    task = settings.task or infer_task(asked, session.metadata(), bool(labels))
    settings = replace(settings, task=task, labels=labels or None)
    feeds = make_feeds(path.name, session.inputs(), settings)
    head = make_head(path.name, session.outputs(), settings, labels)
    batch_fixed = _fixed_batch(session.inputs())
    signature = Signature(
        name=name,
        version=version,
        inputs=tuple(feed.column for feed in feeds),
        outputs=head.columns,
        returns=head.returns,
        options=plain_settings(settings, "batch", "labels") | ({"labels": labels_identity(labels)} if labels else {}),
        batch_size=settings.batch or batch_fixed or 8,
        concurrency=concurrency(),
    )
    return BatchModel(signature, partial(_prepare, feeds), partial(_predict, session, feeds, head, batch_fixed))


def _existing(locator: str) -> Path:
    path = Path(locator).expanduser()
    check_readable(f"onnx:{locator}", path)
    if not path.is_file():
        beside = [str(other) for other in path.parent.glob("*.onnx")] if path.parent.is_dir() else []
        raise UsageError(f"there is no ONNX file {locator!r}{nearest(str(path), beside)}")
    return path.resolve()


def _fixed_batch(inputs: Sequence[Any]) -> int | None:
    sizes = {node.shape[0] for node in inputs if node.shape and isinstance(node.shape[0], int)}
    return min(sizes) if sizes else None


def _prepare(feeds: Sequence[Feed], *inputs: Any) -> tuple[Any, ...]:
    return tuple(feed.encode(value) for feed, value in zip(feeds, inputs, strict=True))


def _predict(
    session: OnnxSession, feeds: Sequence[Feed], head: Head, batch_fixed: int | None, batch: Sequence[Any]
) -> list[list[Row] | Exception]:
    rows: list[list[Row] | Exception] = []
    for part in _parts(session, batch, batch_fixed):
        # A graph exported for a fixed batch is always full: the last input fills it up.
        filled = [*part, *[part[-1]] * ((batch_fixed or 0) - len(part))]
        columns = zip(*filled, strict=True)
        names = [node.name for node in session.inputs()]
        tensors = {name: feed.collate(column) for name, feed, column in zip(names, feeds, columns, strict=True)}
        outputs = session.run(tensors)
        for index, arguments in enumerate(part):
            rows.append(_read(session, head, outputs, index, arguments, len(filled)))
    return rows


def _parts(session: OnnxSession, batch: Sequence[Any], batch_fixed: int | None) -> Iterator[Sequence[Any]]:
    if batch_fixed is None:
        return session.parts(batch)
    return (batch[start : start + batch_fixed] for start in range(0, len(batch), batch_fixed))


def _read(
    session: OnnxSession,
    head: Head,
    outputs: Mapping[str, Tensor],
    index: int,
    arguments: Any,
    count: int,
) -> list[Row] | Exception:
    try:
        tensors = {name: _item(session, name, outputs[name], index, count) for name in head.tensor_names}
        return head.read(tensors, arguments)
    except ModelError as error:
        return error


def _item(session: OnnxSession, name: str, value: Any, index: int, count: int) -> Tensor:
    if not isinstance(value, np.ndarray) or value.ndim == 0 or value.shape[0] != count:
        shape = list(value.shape) if isinstance(value, np.ndarray) else type(value).__name__
        raise ModelError(f"{session.path.name}: output {name!r} of {count} inputs has shape {shape}: no batch axis")
    return np.asarray(value[index])
