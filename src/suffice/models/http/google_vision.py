"""``google-vision:FEATURE``: Google Cloud Vision, up to 16 pictures to a request.

Shape: https://cloud.google.com/vision/docs/reference/rest/v1/images/annotate. Its JSON leaves out fields that are
zero, so a missing coordinate is 0 and a missing likelihood is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from suffice.errors import ModelError, UsageError, nearest
from suffice.models.http.assemble import Columns, Endpoint, assemble
from suffice.models.http.http_client import Request
from suffice.models.http.http_model import HttpModel
from suffice.models.http.jpeg import Jpeg, encode_jpeg
from suffice.models.http.keys import bearer
from suffice.models.http.options import COMMON, MAX_SIDE_PX
from suffice.models.options import Option, read_options
from suffice.models.protocol import IMAGE, Column, Row

REVISION = 1
BASE_URL = "https://vision.googleapis.com/v1"
IMAGES_MAX = 16
OPTIONS = {
    "max_results": Option(low=1, kind=int, in_version=True),
    "max_side_px": MAX_SIDE_PX,
    "base_url": Option(BASE_URL),
    "batch_size": Option(IMAGES_MAX, low=1),
    "access_token_env": Option(kind=str),
    "project": Option(kind=str),
    **COMMON,
}
_SAFE = ("adult", "spoof", "medical", "violence", "racy")
_MOODS = ("joy", "sorrow", "anger", "surprise")
_BOX = tuple(Column(side, "DOUBLE") for side in ("x0", "y0", "x1", "y1"))
_LABEL, _SCORE = Column("label", "VARCHAR"), Column("score", "DOUBLE")


def _safe(found: Any, picture: Jpeg) -> list[Row]:
    return [tuple(str(found.get(kind, "UNKNOWN")) for kind in _SAFE)]


def _labels(found: Any, picture: Jpeg) -> list[Row]:
    return [(str(item["description"]), float(item.get("score", 0)), str(item.get("mid", ""))) for item in found]


def _text(found: Any, picture: Jpeg) -> list[Row]:
    return [(str(found.get("text", "")),)]


def _objects(found: Any, picture: Jpeg) -> list[Row]:
    size = picture.width_px, picture.height_px
    return [
        (str(item["name"]), float(item.get("score", 0)), *_box(item["boundingPoly"]["normalizedVertices"], *size))
        for item in found
    ]


def _faces(found: Any, picture: Jpeg) -> list[Row]:
    return [
        (
            float(item.get("detectionConfidence", 0)),
            *_box(item["boundingPoly"]["vertices"], picture.scale, picture.scale),
            *(str(item.get(f"{mood}Likelihood", "UNKNOWN")) for mood in _MOODS),
        )
        for item in found
    ]


def _box(vertices: Sequence[dict[str, float]], x_scale: float, y_scale: float) -> tuple[float, float, float, float]:
    x = [float(vertex.get("x", 0)) * x_scale for vertex in vertices]
    y = [float(vertex.get("y", 0)) * y_scale for vertex in vertices]
    return min(x), min(y), max(x), max(y)


class Feature(NamedTuple):
    """What one feature answers: the key of its annotation, what stands there when nothing was found, and its rows."""

    key: str
    nothing: Any
    outputs: tuple[Column, ...]
    returns: Literal["scalar", "rows"]
    rows: Callable[[Any, Jpeg], list[Row]]


_LIKELIHOODS = tuple(Column(kind, "VARCHAR") for kind in _SAFE)
_WHOLE_TEXT = Feature("fullTextAnnotation", {}, (Column("text", "VARCHAR"),), "scalar", _text)
FEATURES = {
    # Safe search always answers; without its annotation there is no answer.
    "SAFE_SEARCH_DETECTION": Feature("safeSearchAnnotation", None, _LIKELIHOODS, "scalar", _safe),
    "LABEL_DETECTION": Feature("labelAnnotations", [], (_LABEL, _SCORE, Column("mid", "VARCHAR")), "rows", _labels),
    "TEXT_DETECTION": _WHOLE_TEXT,
    "DOCUMENT_TEXT_DETECTION": _WHOLE_TEXT,
    "OBJECT_LOCALIZATION": Feature("localizedObjectAnnotations", [], (_LABEL, _SCORE, *_BOX), "rows", _objects),
    "FACE_DETECTION": Feature(
        "faceAnnotations", [], (_SCORE, *_BOX, *(Column(mood, "VARCHAR") for mood in _MOODS)), "rows", _faces
    ),
}


def runner(name: str, locator: str, **options: Any) -> HttpModel:
    """One Vision feature as a function of a picture; boxes are in pixels of the original."""
    if locator not in FEATURES:
        hint = nearest(locator.upper(), FEATURES) or f"; there are {', '.join(FEATURES)}"
        raise UsageError(f"model {name}: Google Vision has no feature {locator!r}{hint}")
    known = read_options(f"model {name}", OPTIONS, options)
    if known["batch_size"] > IMAGES_MAX:
        raise UsageError(f"model {name}: batch_size is at most {IMAGES_MAX}, the most pictures Google takes at once")
    feature = FEATURES[locator]
    url = known["base_url"].rstrip("/") + "/images:annotate"
    endpoint = Endpoint("google-vision", REVISION, url, locator, _headers(known))
    exchange = AnnotateExchange(locator, known["max_results"], known["max_side_px"])
    columns = Columns((Column("image", IMAGE),), feature.outputs, feature.returns)
    return assemble(name, endpoint, columns, exchange, known, OPTIONS)


@dataclass(frozen=True)
class AnnotateExchange:
    """images:annotate with one feature."""

    feature: str
    max_results: int | None
    max_side_px: int | None

    def piece(self, image: Any) -> Jpeg:
        return encode_jpeg(image, self.max_side_px)

    def request(self, pieces: Sequence[Jpeg]) -> Request:
        feature = {"type": self.feature, **({"maxResults": self.max_results} if self.max_results else {})}
        requests = [{"image": {"content": piece.base64}, "features": [feature]} for piece in pieces]
        return Request({"requests": requests}, len(pieces))

    def usage(self, answer: Any) -> None:
        return None

    def split(self, answer: Any, count: int) -> Any:
        return answer["responses"]

    def rows(self, part: Any, piece: Jpeg) -> list[Row]:
        feature = FEATURES[self.feature]
        # What is filled in is right even beside an error, says the reference.
        if feature.key not in part and "error" in part:
            raise ModelError(f"{part['error'].get('message', '')} (code {part['error'].get('code')})")
        found = part.get(feature.key, feature.nothing)
        if found is None:
            raise ModelError(f"no {feature.key} in it")
        return feature.rows(found, piece)


def _headers(options: dict[str, Any]) -> dict[str, str]:
    """An API key, or an OAuth access token; Google's own key variable goes to Google only."""
    project = {"x-goog-user-project": options["project"]} if options["project"] else {}
    if options["access_token_env"]:
        return bearer(options["access_token_env"]) | project
    variable = options["api_key_env"] or ("GOOGLE_API_KEY" if options["base_url"] == BASE_URL else None)
    return project | ({"X-Goog-Api-Key": f"${{{variable}}}"} if variable else {})
