"""``google-vision:`` against a server that answers in the documented shape of images:annotate."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from loopback_server import Reply, Seen, Server
from PIL import Image

from suffice.errors import ModelError, UsageError
from suffice.models.http.google_vision import runner

SAFE = dict.fromkeys(("adult", "spoof", "medical"), "VERY_UNLIKELY") | {"violence": "LIKELY", "racy": "POSSIBLE"}


def annotate(server: Server, feature: str, *images: np.ndarray, **options: Any) -> Any:
    model = runner("vision", feature, base_url=server.url + "/v1", **options)
    return model.predict([model.prepare(image) for image in images])


def one(server: Server, feature: str, response: dict[str, Any], image: np.ndarray, **options: Any) -> Any:
    server.replies(Reply({"responses": [response]}))
    (outcome,) = annotate(server, feature, image, **options)
    return outcome


def test_safe_search(server: Server, picture: np.ndarray) -> None:
    assert one(server, "SAFE_SEARCH_DETECTION", {"safeSearchAnnotation": SAFE}, picture) == [tuple(SAFE.values())]
    (seen,) = server.seen
    assert seen.path == "/v1/images:annotate"
    (request,) = seen.json["requests"]
    assert request["features"] == [{"type": "SAFE_SEARCH_DETECTION"}]
    assert base64.b64decode(request["image"]["content"])[:2] == b"\xff\xd8"


def test_labels(server: Server, picture: np.ndarray) -> None:
    labels = [{"mid": "/m/01c8br", "description": "Street", "score": 0.87, "topicality": 0.87}]
    outcome = one(server, "LABEL_DETECTION", {"labelAnnotations": labels}, picture, max_results=5)
    assert outcome == [("Street", 0.87, "/m/01c8br")]
    assert server.seen[0].json["requests"][0]["features"] == [{"type": "LABEL_DETECTION", "maxResults": 5}]


@pytest.mark.parametrize("feature", ["TEXT_DETECTION", "DOCUMENT_TEXT_DETECTION"])
def test_text_and_no_text(server: Server, picture: np.ndarray, feature: str) -> None:
    found = {"textAnnotations": [{"locale": "en", "description": "STOP\n"}], "fullTextAnnotation": {"text": "STOP\n"}}
    assert one(server, feature, found, picture) == [("STOP\n",)]
    assert one(server, feature, {}, picture) == [("",)]


def test_objects_with_the_zeros_that_google_leaves_out(server: Server, picture: np.ndarray) -> None:
    corners = [{}, {"x": 0.5}, {"x": 0.5, "y": 0.25}, {"y": 0.25}]
    item = {"mid": "/m/01g317", "name": "Person", "score": 0.9, "boundingPoly": {"normalizedVertices": corners}}
    outcome = one(server, "OBJECT_LOCALIZATION", {"localizedObjectAnnotations": [item]}, picture, max_side_px=30)
    assert outcome == [("Person", 0.9, 0.0, 0.0, 30.0, 10.0)]
    assert one(server, "OBJECT_LOCALIZATION", {}, picture) == []


def test_faces_in_pixels_of_the_original(server: Server, picture: np.ndarray) -> None:
    corners = [{"y": 1}, {"x": 5, "y": 1}, {"x": 5, "y": 9}, {"y": 9}]
    face = {"boundingPoly": {"vertices": corners}, "detectionConfidence": 0.8, "joyLikelihood": "LIKELY"}
    outcome = one(server, "FACE_DETECTION", {"faceAnnotations": [face]}, picture, max_side_px=30)
    assert outcome == [(0.8, 0.0, 2.0, 10.0, 18.0, "LIKELY", "UNKNOWN", "UNKNOWN", "UNKNOWN")]


def by_brightness(seen: Seen) -> Reply:
    """Label each picture with its grey value; black ones are bad data, as Google says it."""

    def response(request: Any) -> dict[str, Any]:
        grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(request["image"]["content"])))).mean()
        if grey < 5:
            return {"error": {"code": 3, "message": "Bad image data."}}
        return {"labelAnnotations": [{"description": f"grey{round(grey)}", "score": 1}]}

    return Reply({"responses": [response(request) for request in seen.json["requests"]]})


def test_sixteen_pictures_a_request_and_one_bad_one_among_them(server: Server) -> None:
    server.answer = by_brightness
    greys = [10 * i for i in range(20)]
    images = [np.full((8, 8, 3), grey, np.uint8) for grey in greys]
    outcomes = annotate(server, "LABEL_DETECTION", *images)
    assert [len(seen.json["requests"]) for seen in server.seen] == [16, 4]
    assert isinstance(outcomes[0], ModelError) and "Bad image data. (code 3)" in str(outcomes[0])
    assert outcomes[1:] == [[(f"grey{grey}", 1.0, "")] for grey in greys[1:]]


def test_what_is_filled_in_counts_even_beside_an_error(server: Server, picture: np.ndarray) -> None:
    response = {"safeSearchAnnotation": SAFE, "error": {"code": 13, "message": "other part failed"}}
    assert one(server, "SAFE_SEARCH_DETECTION", response, picture) == [tuple(SAFE.values())]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"responses": [{}]}, "no safeSearchAnnotation in it"),
        ({"responses": []}, "0 results for 1 inputs"),
        ({"responses": [{}, {}]}, "2 results for 1 inputs"),
        ({}, "KeyError 'responses'"),
        ({"responses": [3]}, "cannot use the answer"),
    ],
)
def test_wrong_shapes_are_errors_never_no_rows(server: Server, picture: np.ndarray, answer: Any, message: str) -> None:
    server.replies(Reply(answer))
    (outcome,) = annotate(server, "SAFE_SEARCH_DETECTION", picture)
    assert isinstance(outcome, ModelError) and message in str(outcome)


def test_key_or_token_in_headers_never_in_the_address(
    server: Server, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "AIza-secret")
    monkeypatch.setenv("MY_TOKEN", "ya29-secret")
    server.replies(Reply({"responses": [{"safeSearchAnnotation": SAFE}]}))
    annotate(server, "SAFE_SEARCH_DETECTION", picture, api_key_env="MY_KEY")
    annotate(server, "SAFE_SEARCH_DETECTION", picture, access_token_env="MY_TOKEN", project="p1")
    key, token = server.seen
    assert key.headers["x-goog-api-key"] == "AIza-secret" and "authorization" not in key.headers
    assert (token.headers["authorization"], token.headers["x-goog-user-project"]) == ("Bearer ya29-secret", "p1")
    assert {key.path, token.path} == {"/v1/images:annotate"}


def test_unknown_feature_and_too_large_batch() -> None:
    with pytest.raises(UsageError, match="did you mean 'SAFE_SEARCH_DETECTION'"):
        runner("v", "safe_search")
    with pytest.raises(UsageError, match="at most 16"):
        runner("v", "LABEL_DETECTION", batch_size=17)


def test_anything_but_a_picture_is_refused() -> None:
    model = runner("v", "LABEL_DETECTION")
    with pytest.raises(ModelError, match=r"expected a picture, uint8 \[height, width, 3\], got ndarray \(4, 4\)"):
        model.prepare(np.zeros((4, 4), np.uint8))
    with pytest.raises(ModelError, match="got str"):
        model.prepare("img:abc")
