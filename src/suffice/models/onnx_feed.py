"""Arguments of a SQL call to input tensors of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError, UsageError
from suffice.models.onnx_settings import OnnxSettings
from suffice.models.placement import Fit, Placement, place
from suffice.models.protocol import IMAGE, Column, Image

Tensor = npt.NDArray[Any]
DTYPES = {
    "tensor(float)": ("FLOAT", np.float32),
    "tensor(double)": ("DOUBLE", np.float64),
    "tensor(float16)": ("FLOAT", np.float16),
    "tensor(int64)": ("BIGINT", np.int64),
    "tensor(int32)": ("INTEGER", np.int32),
    "tensor(int16)": ("SMALLINT", np.int16),
    "tensor(int8)": ("TINYINT", np.int8),
    "tensor(uint8)": ("UTINYINT", np.uint8),
    "tensor(bool)": ("BOOLEAN", np.bool_),
    "tensor(string)": ("VARCHAR", np.object_),
}


class Feed(Protocol):
    """One argument: its column, what to do to each value early, and how values become one tensor."""

    @property
    def column(self) -> Column: ...

    def encode(self, value: Any) -> Any: ...

    def collate(self, values: Sequence[Any]) -> Tensor: ...


class Placed(NamedTuple):
    """A picture at the size of the graph, uint8 ``[height, width, 3]`` RGB, and how it got there."""

    pixels: Image
    placement: Placement


@dataclass(frozen=True)
class ImageFeed:
    """A picture for a 4-D input; normalising waits for :meth:`collate`, so that queues hold bytes."""

    column: Column
    dtype: Any
    layout: str
    canvas_wh: tuple[int, int]
    channel_count: int
    fit: Fit
    channels: str
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def encode(self, value: Any) -> Placed:
        if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3:
            raise ModelError(f"expected a picture, uint8 [height, width, 3], got {type(value).__name__}")
        placement = place(value.shape[1], value.shape[0], self.canvas_wh, self.fit)
        return Placed(placement.draw(value, self.canvas_wh), placement)

    def collate(self, values: Sequence[Placed]) -> Tensor:
        pixels: Tensor = np.stack([item.pixels for item in values])
        if self.channel_count == 1:
            pixels = (pixels @ np.array([0.299, 0.587, 0.114]))[..., None]  # luma of ITU-R BT.601
        elif self.channels == "BGR":
            pixels = pixels[..., ::-1]
        if self.dtype != np.uint8:
            mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
            pixels = (pixels.astype(np.float32) * np.float32(self.scale) - mean) / std
        ordered = pixels.transpose(0, 3, 1, 2) if self.layout == "NCHW" else pixels
        return np.ascontiguousarray(ordered, dtype=self.dtype)


@dataclass(frozen=True)
class ArrayFeed:
    """A number, a text, or a (nested) list of them; `shape` is the input's without its batch axis."""

    column: Column
    dtype: Any
    shape: tuple[int | None, ...]

    def encode(self, value: Any) -> Tensor:
        try:
            array = np.asarray(value, dtype=self.dtype)
        except (TypeError, ValueError):
            raise ModelError(f"argument {self.column.name!r}: {value!r:.60} is no {self.column.type}") from None
        array = array[None] if self.shape == (1,) and array.ndim == 0 else array
        fits = array.ndim == len(self.shape) and all(
            want is None or want == got for want, got in zip(self.shape, array.shape, strict=True)
        )
        if not fits:
            want = [size or "any" for size in self.shape]
            raise ModelError(f"argument {self.column.name!r}: expected shape {want}, got {list(array.shape)}")
        return array

    def collate(self, values: Sequence[Tensor]) -> Tensor:
        return np.stack(values)


def make_feeds(file: str, inputs: Sequence[Any], settings: OnnxSettings) -> list[Feed]:
    """A feed for each input of the graph.

    Raises:
        UsageError: the graph is of a family this runner cannot feed; the message lists its inputs.
    """
    _refuse_token_models(file, inputs)
    types = (settings.input,) if isinstance(settings.input, str) else settings.input
    if types is not None and len(types) != len(inputs):
        raise UsageError(f"{file} takes {listing(inputs)}; option input names {len(types)}")
    images = sum(_is_image(node) for node in inputs)
    given: Sequence[str | None] = types or (None,) * len(inputs)
    return [
        _make_feed(file, node, kind, settings, "image" if images == 1 else node.name)
        for node, kind in zip(inputs, given, strict=True)
    ]


def listing(nodes: Sequence[Any]) -> str:
    """Such as ``2 inputs (image float[1, 3, 64, 64], size int64[1, 2])``."""
    parts = (f"{node.name} {node.type.removeprefix('tensor(').removesuffix(')')}{_dims(node.shape)}" for node in nodes)
    return f"{len(nodes)} input{'s' * (len(nodes) != 1)} ({', '.join(parts)})"


def _dims(shape: Sequence[Any]) -> str:
    return f"[{', '.join(str(size or '?') for size in shape)}]"


def _refuse_token_models(file: str, inputs: Sequence[Any]) -> None:
    if any(node.name in ("input_ids", "attention_mask", "token_type_ids") for node in inputs):
        hint = "a text model needs its tokenizer: use 'hf:FOLDER' with the checkpoint it was exported from"
        raise UsageError(f"{file} takes {listing(inputs)}; {hint}")


def _is_image(node: Any) -> bool:
    return len(node.shape) == 4 and node.type in ("tensor(float)", "tensor(float16)", "tensor(uint8)")


def _make_feed(file: str, node: Any, kind: str | None, settings: OnnxSettings, image_name: str) -> Feed:
    if node.type not in DTYPES or not node.shape:
        raise UsageError(f"{file} takes {listing([node])}: expected tensors with a batch axis")
    base, dtype = DTYPES[node.type]
    if (kind or (IMAGE if _is_image(node) else "")).upper() == IMAGE:
        return _image_feed(file, node, dtype, settings, image_name)
    shape = tuple(size if isinstance(size, int) else None for size in node.shape[1:])
    inferred = base if shape in ((), (1,)) else base + "[]" * len(shape)
    return ArrayFeed(Column(node.name, kind or inferred), dtype, shape)


def _image_feed(file: str, node: Any, dtype: Any, settings: OnnxSettings, name: str) -> ImageFeed:
    if not _is_image(node):
        raise UsageError(f"{file}: input {node.name} {_dims(node.shape)} is not a picture's: expected 4 axes")
    layout = settings.layout or _layout(node.shape)
    channel_count, height, width = (node.shape[axis] for axis in ((1, 2, 3) if layout == "NCHW" else (3, 1, 2)))
    if isinstance(channel_count, int) and channel_count not in (1, 3):
        raise UsageError(f"{file}: input {node.name} {_dims(node.shape)} has {channel_count} channels, expected 1 or 3")
    mean, std = _by_channel(settings.mean, 0.0), _by_channel(settings.std, 1.0)
    if {len(mean), len(std)} - {1, channel_count if isinstance(channel_count, int) else 3}:
        raise UsageError(f"{file}: options mean and std take one number, or one a channel of input {node.name}")
    if dtype is np.uint8 and (settings.mean, settings.std, settings.scale) != (None, None, None):
        raise UsageError(f"{file}: input {node.name} takes bytes (uint8): mean, std and scale do not apply")
    default_fit: Fit = {"classify": "crop", "detect_yolo": "letterbox"}.get(settings.task or "", "stretch")  # type: ignore[assignment]
    return ImageFeed(
        Column(name, IMAGE),
        dtype,
        layout,
        _canvas(file, node.name, (height, width), settings),
        channel_count if isinstance(channel_count, int) else 3,
        settings.fit or default_fit,
        settings.channels,
        settings.scale if settings.scale is not None else 1.0 if max(mean) > 1 else 1 / 255,
        mean,
        std,
    )


def _layout(shape: Sequence[Any]) -> str:
    return "NHWC" if shape[3] in (1, 3) and shape[1] not in (1, 3) else "NCHW"


def _by_channel(value: float | tuple[float, ...] | None, default: float) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (default if value is None else value,)


def _canvas(file: str, name: str, fixed_hw: tuple[Any, Any], settings: OnnxSettings) -> tuple[int, int]:
    """Width and height of the input: those of the graph, else of the option, else the usual ones."""
    size = settings.size if settings.size is not None else 640 if settings.task == "detect_yolo" else 224
    asked_hw = (size, size) if isinstance(size, int) else size
    if len(asked_hw) != 2 or min(asked_hw) < 1:
        raise UsageError(f"{file}: option size is a side in pixels or [height, width], got {settings.size!r}")
    chosen = [fixed if isinstance(fixed, int) else asked for fixed, asked in zip(fixed_hw, asked_hw, strict=True)]
    if settings.size is not None and chosen != list(asked_hw):
        raise UsageError(f"{file}: input {name} is fixed at {chosen} (height, width), size asks {list(asked_hw)}")
    return chosen[1], chosen[0]
