"""``onnx:ENCODER,DECODER``: a promptable network exported as two graphs, as SAM's authors and samexporter do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError, UsageError
from suffice.masks.found import Candidate
from suffice.masks.prompt import Point, ThingPrompt
from suffice.masks.promptable.automatic import AutomaticSettings, generate
from suffice.masks.promptable.canvas import IMAGENET_MEAN, IMAGENET_STD, Fit, canvas_of, draw, mask_logits, restored
from suffice.masks.promptable.checkpoint_segmenter import Decoded, Encoded
from suffice.media.mask_crop import mask_box
from suffice.models.onnx_session import OnnxSession, Tensor
from suffice.models.protocol import Image
from suffice.models.roots import check_readable
from suffice.models.weights import weights_version

CODE_REVISION = 1
CORNERS = (2, 3)
NO_POINT = -1
MASKS, SCORES = ("low_res_masks", "pred_masks", "masks"), ("iou_predictions", "iou_scores")
CANDIDATES_MAX = 3


class OnnxSegmenter:
    """An encoder and a decoder graph.

    The encoder takes the picture, normalised as ImageNet's are, on a square: padded when the decoder wants to know the
    original size (SAM's export), squeezed otherwise (SAM 2's). The decoder takes what the encoder gives, by name or
    in order, ``point_coords`` and ``point_labels`` (corners of a box are labels 2 and 3), and a previous mask.

    Args:
        encoder_and_decoder: two paths between a comma.
    """

    def __init__(self, encoder_and_decoder: str, automatic: AutomaticSettings | None = None) -> None:
        paths = [Path(part.strip()).expanduser() for part in encoder_and_decoder.split(",")]
        if len(paths) != 2:
            raise UsageError(f"onnx:{encoder_and_decoder}: expected two files, onnx:ENCODER,DECODER")
        for path in paths:
            if not path.is_file():
                raise UsageError(f"onnx:{encoder_and_decoder}: there is no file {str(path)!r}")
            check_readable(f"onnx:{encoder_and_decoder}", path)
        self.name = f"onnx:{encoder_and_decoder}"
        self.version = weights_version(CODE_REVISION, *paths)
        self.automatic = automatic or AutomaticSettings()
        self._encoder, self._decoder = OnnxSession(paths[0]), OnnxSession(paths[1])

    def encode(self, image: Image) -> Encoded:
        (given,) = self._encoder.inputs()
        side = given.shape[-1] if isinstance(given.shape[-1], int) else 1024
        canvas = canvas_of(image.shape[0], image.shape[1], side, self._fit())
        outputs = self._encoder.run({given.name: draw(image, canvas, IMAGENET_MEAN, IMAGENET_STD)})
        return Encoded(canvas, outputs, image)

    def segment(self, encoded: Encoded, things: Sequence[ThingPrompt]) -> list[tuple[Candidate, ...]]:
        return [self._thing(encoded, thing) for thing in things]

    def everything(self, encoded: Encoded) -> list[Candidate]:
        return generate(self, encoded, self.automatic)

    def decode(self, encoded: Encoded, prompts: dict[str, npt.NDArray[Any]]) -> Decoded:
        """Points ``[1, n, k, 2]`` with labels, one after the other: exported decoders take one prompt at a time."""
        each = [
            self._run(encoded, xy[None], labels[None].astype(np.float32), None)
            for xy, labels in zip(prompts["input_points"][0], prompts["input_labels"][0], strict=True)
        ]
        return Decoded(np.stack([one.logits[0] for one in each]), np.stack([one.scores[0] for one in each]))

    def to_arrays(self, encoded: Encoded) -> dict[str, Any]:
        return {**encoded.arrays, "size_hw": np.array([encoded.canvas.height, encoded.canvas.width])}

    def from_arrays(self, arrays: dict[str, Any]) -> Encoded:
        height, width = (int(side) for side in arrays.pop("size_hw"))
        (given,) = self._encoder.inputs()
        side = given.shape[-1] if isinstance(given.shape[-1], int) else 1024
        return Encoded(canvas_of(height, width, side, self._fit()), arrays)

    def _thing(self, encoded: Encoded, thing: ThingPrompt) -> tuple[Candidate, ...]:
        xy, labels = _clicks(thing)
        previous = None if thing.mask is None else mask_logits(thing.mask, encoded.canvas, self._mask_side())
        decoded = self._run(encoded, encoded.canvas.scaled(xy)[None], labels[None], previous)
        masks = restored(decoded.logits[0], encoded.canvas) > 0
        return tuple(Candidate(mask, float(score)) for mask, score in zip(masks, decoded.scores[0], strict=True))

    def _run(self, encoded: Encoded, xy: Tensor, labels: Tensor, previous: Tensor | None) -> Decoded:
        side = self._mask_side()
        known: dict[str, Tensor] = {
            "point_coords": xy.astype(np.float32),
            "point_labels": labels.astype(np.float32),
            "mask_input": np.zeros((1, 1, side, side), np.float32) if previous is None else previous[None, None],
            "has_mask_input": np.array([previous is not None], np.float32),
            "orig_im_size": np.array([encoded.canvas.height, encoded.canvas.width], np.float32),
        }
        outputs = self._decoder.run(self._fed(encoded.arrays, known))
        return Decoded(
            self._output(outputs, MASKS)[:, -CANDIDATES_MAX:], self._output(outputs, SCORES)[:, -CANDIDATES_MAX:]
        )

    def _fed(self, arrays: dict[str, Tensor], known: dict[str, Tensor]) -> dict[str, Tensor]:
        wanted = [node.name for node in self._decoder.inputs()]
        fed = {name: known[name] for name in wanted if name in known}
        rest = [name for name in wanted if name not in known]
        if all(name in arrays for name in rest):
            return {**fed, **{name: arrays[name] for name in rest}}
        if len(rest) != len(arrays):
            raise ModelError(f"{self.name}: the decoder wants {', '.join(rest)}, the encoder gives {', '.join(arrays)}")
        return {**fed, **dict(zip(rest, arrays.values(), strict=True))}

    def _output(self, outputs: dict[str, Tensor], names: tuple[str, ...]) -> Tensor:
        for name in names:
            if name in outputs:
                return outputs[name].astype(np.float32)
        raise ModelError(f"{self.name}: the decoder gives {', '.join(outputs)}, none of {', '.join(names)}")

    def _fit(self) -> Fit:
        return "pad" if any(node.name == "orig_im_size" for node in self._decoder.inputs()) else "stretch"

    def _mask_side(self) -> int:
        shapes = [node.shape for node in self._decoder.inputs() if node.name == "mask_input"]
        return int(shapes[0][-1]) if shapes and isinstance(shapes[0][-1], int) else 256


def _clicks(thing: ThingPrompt) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Points with labels, then a box as its corners, or in its absence a point that is none."""
    points: list[Point] = list(thing.points)
    box = thing.box_xyxy
    if box is None and thing.mask is not None and not points:
        box = tuple(float(side) for side in mask_box(thing.mask))  # type: ignore[assignment]
    corners = [(0.0, 0.0)] if box is None else [(box[0], box[1]), (box[2], box[3])]
    labels = [int(p.is_on) for p in points] + ([NO_POINT] if box is None else list(CORNERS))
    return np.array([(p.x, p.y) for p in points] + corners), np.array(labels, np.float32)
