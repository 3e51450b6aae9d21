"""``hf-endpoint:URL``: a Hugging Face Inference Endpoint, or ``hf-endpoint:ORG/MODEL`` at Hugging Face's own provider.

Shapes: https://huggingface.co/docs/inference-providers/tasks (one page a task). Servers answer text classification
both as a list and as a list in a list; a model that is still loading answers 503 with ``estimated_time``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from suffice.errors import ModelError, UsageError
from suffice.models.http.assemble import Columns, Endpoint, assemble
from suffice.models.http.columns import row_of
from suffice.models.http.http_client import Request
from suffice.models.http.http_model import HttpModel
from suffice.models.http.jpeg import Jpeg, encode_jpeg
from suffice.models.http.keys import bearer
from suffice.models.http.options import COMMON, MAX_SIDE_PX
from suffice.models.http.template import as_text
from suffice.models.http.vector_of import vector_of
from suffice.models.options import Option, one_of, read_options
from suffice.models.protocol import IMAGE, Column, Row

REVISION = 1
ROUTER = "https://router.huggingface.co/hf-inference/models/"
KEY_VARIABLE = "HF_TOKEN"
_KEY_HOSTS = (".huggingface.co", ".huggingface.cloud")
_LABEL = (Column("label", "VARCHAR"), Column("score", "DOUBLE"))
_BOX = tuple(Column(side, "DOUBLE") for side in ("x0", "y0", "x1", "y1"))
_TEXT, _IMAGE = Column("text", "VARCHAR"), Column("image", IMAGE)
TASKS: dict[str, tuple[Column, tuple[Column, ...]]] = {
    "text-classification": (_TEXT, _LABEL),
    "image-classification": (_IMAGE, _LABEL),
    "object-detection": (_IMAGE, _LABEL + _BOX),
    "feature-extraction": (_TEXT, (Column("embedding", "FLOAT[]"),)),
}
OPTIONS = {
    **COMMON,
    "task": Option(kind=one_of(TASKS), in_version=True, required=True),
    "returns": Option("rows", kind=one_of(("rows", "scalar")), in_version=True),
    "parameters": Option(kind=dict, in_version=True),
    "pooling": Option(kind=one_of(("mean", "first")), in_version=True),
    "max_side_px": MAX_SIDE_PX,
    "batch_size": Option(1, low=1),
    # A model that scales from zero takes minutes to load, and asks again and again for a little patience.
    "max_retries": Option(20, low=0),
    "retry_time_s": Option(600.0, low=0),
}


def runner(name: str, locator: str, **options: Any) -> HttpModel:
    """A model behind a Hugging Face endpoint; ``returns => 'scalar'`` keeps only the best label.

    Feature extraction takes `batch_size` texts to a request, the other tasks one input. `parameters` are the
    task's own, such as ``'{"threshold": 0.5}'``.
    """
    known = read_options(f"model {name}", OPTIONS, options)
    task: str = known["task"]
    column, outputs = TASKS[task]
    embeds = task == "feature-extraction"
    if known["batch_size"] > 1 and not embeds:
        raise UsageError(f"model {name}: {task} takes one input a request; batch_size is for feature-extraction")
    returns: Literal["scalar", "rows"] = "scalar" if embeds else known["returns"]
    if returns == "scalar" and task == "object-detection":
        raise UsageError(f"model {name}: object-detection finds 0..n objects, so it returns rows")
    url = ROUTER + locator if re.fullmatch(r"[\w.-]+/[\w.-]+", locator) else locator
    variable = known["api_key_env"] or (KEY_VARIABLE if _is_hugging_face(url) else None)
    endpoint = Endpoint("hf-endpoint", REVISION, url, headers=bearer(variable) if variable else {})
    exchange = HfExchange(task, outputs, returns, known["parameters"] or {}, known["pooling"], known["max_side_px"])
    return assemble(name, endpoint, Columns((column,), outputs, returns), exchange, known, OPTIONS)


@dataclass(frozen=True)
class HfExchange:
    """One task's request and answer."""

    task: str
    outputs: tuple[Column, ...]
    returns: str
    parameters: dict[str, Any]
    pooling: str | None
    max_side_px: int | None

    def piece(self, value: Any) -> Jpeg | str:
        return encode_jpeg(value, self.max_side_px) if TASKS[self.task][0] is _IMAGE else as_text(value)

    def request(self, pieces: Sequence[Jpeg | str]) -> Request:
        first = pieces[0]
        parameters = {"parameters": self.parameters} if self.parameters else {}
        if isinstance(first, Jpeg):
            # Documented: raw bytes when there are no parameters, base64 in JSON when there are.
            body: Any = {"inputs": first.base64, **parameters} if parameters else first.data
        elif self.task == "feature-extraction":
            body = {"inputs": list(pieces) if len(pieces) > 1 else first, **self.parameters}
        else:
            body = {"inputs": first, **parameters}
        return Request(body, len(pieces))

    def usage(self, answer: Any) -> None:
        return None

    def split(self, answer: Any, count: int) -> list[Any]:
        if isinstance(answer, dict):
            raise ModelError(str(answer.get("error") or "an object where a list is expected"))
        return [answer] if count == 1 else answer

    def rows(self, part: Any, piece: Jpeg | str) -> list[Row]:
        if self.task == "feature-extraction":
            return [(self._vector(part),)]
        items = part[0] if len(part) == 1 and isinstance(part[0], list) else part
        if isinstance(piece, Jpeg) and self.task == "object-detection":
            return [row_of(item | _box(item["box"], piece.scale), self.outputs) for item in items]
        rows = [row_of(item, self.outputs) for item in items]
        return rows if self.returns == "rows" else [max(rows, key=lambda row: row[1])]

    def _vector(self, part: Any) -> list[float]:
        while len(part) == 1 and isinstance(part[0], list):
            part = part[0]
        if not isinstance(part[0], list):
            return vector_of(part)
        if self.pooling is None:
            raise ModelError(f"{len(part)} vectors, one a token: say pooling => 'mean' or 'first'")
        vectors = [vector_of(token) for token in part]
        tokens = vectors if self.pooling == "mean" else vectors[:1]
        return [sum(numbers) / len(tokens) for numbers in zip(*tokens, strict=True)]


def _box(box: dict[str, float], scale: float) -> dict[str, float]:
    """Corners in pixels of the original picture."""
    sides = {"x0": "xmin", "y0": "ymin", "x1": "xmax", "y1": "ymax"}
    return {ours: box[theirs] * scale for ours, theirs in sides.items()}


def _is_hugging_face(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and ("." + (parts.hostname or "")).endswith(_KEY_HOSTS)
