"""The options of a model read from an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suffice.models.placement import Fit

Task = Literal["classify", "embed", "regress", "raw", "detect_yolo"]


@dataclass(frozen=True)
class OnnxSettings:
    """What a user may say about a graph; what is None is read off the graph.

    Attributes:
        input: the type of each argument: ``'IMAGE'``, ``'DOUBLE'``, ``'FLOAT[]'`` …, or a list of them.
        task: how outputs become rows. ``classify``: the likeliest label; ``embed``: one vector; ``regress``:
            one number; ``detect_yolo``: boxes of YOLO v5 to v12 and end-to-end exports; ``raw``: all outputs.
        output: the name of the output to read, where there are several.
        labels: names of the classes, or a text file with one a line (looked up beside the model first).
        returns: ``rows`` makes a classifier give its `top_k` labels with scores.
        size: side of the picture in pixels, or ``[height, width]``; only where the graph leaves it open (224,
            for YOLO 640).
        fit: how a picture comes to that size (see :func:`~suffice.models.placement.place`); by default
            ``crop`` for classify, ``letterbox`` for detect_yolo, else ``stretch``.
        scale, mean, std: the tensor is ``(pixel × scale − mean) / std`` by channel. By default 1/255, 0 and 1,
            and `scale` is 1 where a mean is above 1, as it then speaks of 0..255.
        channels: the order the graph was trained on.
        layout: only where the shape does not tell.
        batch: the most inputs at a time, where the graph leaves it open.
        min_score, iou_max, top_k: limits of detections and of labels.
    """

    input: str | tuple[str, ...] | None = None
    task: Task | None = None
    output: str | None = None
    labels: str | tuple[str, ...] | None = None
    returns: Literal["scalar", "rows"] | None = None
    size: int | tuple[int, ...] | None = None
    fit: Fit | None = None
    scale: float | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    channels: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW", "NHWC"] | None = None
    batch: int | None = None
    min_score: float = 0.25
    iou_max: float = 0.45
    top_k: int = 5
