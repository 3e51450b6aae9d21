"""``hf-endpoint:`` against a server that answers in the documented shape of each task."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from loopback_server import Reply, Seen, Server

from suffice.errors import ModelError, UsageError
from suffice.models.http.hf_endpoint import runner

LABELS = [{"label": "NEGATIVE", "score": 0.1}, {"label": "POSITIVE", "score": 0.9}]
PAIRS = [("NEGATIVE", 0.1), ("POSITIVE", 0.9)]
BOX = {"label": "cat", "score": 0.98, "box": {"xmin": 4, "ymin": 2, "xmax": 20, "ymax": 10}}


def call(server: Server, *values: Any, **options: Any) -> Any:
    model = runner("hf", server.url, **options)
    return model.predict([model.prepare(value) for value in values])


@pytest.mark.parametrize("shape", [LABELS, [LABELS]])
def test_text_classification_in_both_shapes(server: Server, shape: Any) -> None:
    server.replies(Reply(shape))
    assert call(server, "good", task="text-classification", parameters='{"top_k": 2}') == [PAIRS]
    assert server.seen[0].json == {"inputs": "good", "parameters": {"top_k": 2}}
    assert call(server, "good", task="text-classification", returns="scalar") == [[("POSITIVE", 0.9)]]


def test_one_label_only_is_not_taken_for_a_nested_list(server: Server) -> None:
    server.replies(Reply([LABELS[0]]))
    assert call(server, "x", task="text-classification") == [PAIRS[:1]]


def test_pictures_go_raw_or_as_base64_beside_parameters(server: Server, picture: np.ndarray) -> None:
    server.replies(Reply(LABELS))
    assert call(server, picture, task="image-classification") == [PAIRS]
    call(server, picture, task="image-classification", parameters={"top_k": 1})
    raw, in_json = server.seen
    assert raw.headers["content-type"] == "image/jpeg" and raw.body[:2] == b"\xff\xd8"
    assert base64.b64decode(in_json.json["inputs"]) == raw.body and in_json.json["parameters"] == {"top_k": 1}


def test_boxes_are_in_pixels_of_the_original(server: Server, picture: np.ndarray) -> None:
    server.replies(Reply([BOX, BOX]), Reply([]))
    found, nothing = call(server, picture, picture, task="object-detection", max_side_px=30)
    assert found == [("cat", 0.98, 8.0, 4.0, 40.0, 20.0)] * 2
    assert nothing == []


@pytest.mark.parametrize("shape", [[0.5, 1.0], [[0.5, 1.0]], [[[0.5, 1.0]]]])
def test_one_vector_however_nested(server: Server, shape: Any) -> None:
    server.replies(Reply(shape))
    assert call(server, "x", task="feature-extraction") == [[([0.5, 1.0],)]]


def test_token_vectors_need_a_pooling(server: Server) -> None:
    server.replies(Reply([[[0.0, 1.0], [1.0, 3.0]]]))
    (error,) = call(server, "x", task="feature-extraction")
    assert isinstance(error, ModelError) and "2 vectors, one a token: say pooling" in str(error)
    assert call(server, "x", task="feature-extraction", pooling="mean") == [[([0.5, 2.0],)]]
    assert call(server, "x", task="feature-extraction", pooling="first") == [[([0.0, 1.0],)]]


def test_feature_extraction_in_batches(server: Server) -> None:
    def answer(seen: Seen) -> Reply:
        texts = seen.json["inputs"]
        return Reply([[float(len(text)), 1.0] for text in (texts if isinstance(texts, list) else [texts])])

    server.answer = answer
    outcomes = call(server, "a", "bb", "ccc", task="feature-extraction", batch_size=2, parameters={"normalize": True})
    assert outcomes == [[([n, 1.0],)] for n in (1.0, 2.0, 3.0)]
    assert [seen.json["inputs"] for seen in server.seen] == [["a", "bb"], "ccc"]
    assert server.seen[0].json["normalize"] is True


def test_a_model_that_is_loading_is_waited_for(server: Server) -> None:
    loading = Reply({"error": "Model org/m is currently loading", "estimated_time": 0.3}, status=503)
    server.replies(loading, Reply([LABELS]))
    assert call(server, "x", task="text-classification") == [PAIRS]
    first, second = server.seen
    assert second.time_s - first.time_s >= 0.3


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"error": "Input is too long for this model"}, "Input is too long"),
        ([{"label": "a"}], "no 'score' in it"),
        ("text", "cannot use the answer"),
        ([], None),
    ],
)
def test_wrong_shapes_are_errors_and_no_labels_are_no_rows(server: Server, reply: Any, message: str | None) -> None:
    server.replies(Reply(reply))
    (outcome,) = call(server, "x", task="text-classification")
    assert outcome == [] if message is None else isinstance(outcome, ModelError) and message in str(outcome)


def test_key_goes_to_hugging_face_only() -> None:
    def headers(locator: str) -> dict[str, str]:
        return dict(runner("hf", locator, task="text-classification").client.headers)

    token = {"Authorization": "Bearer ${HF_TOKEN}"}
    assert headers("org/model") == token
    assert headers("https://x.us-east-1.aws.endpoints.huggingface.cloud") == token
    assert headers("https://huggingface.co.evil.example") == headers("http://huggingface.co") == {}
    routed = runner("hf", "org/model", task="text-classification").client.url
    assert routed == "https://router.huggingface.co/hf-inference/models/org/model"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "option task is needed"),
        ({"task": "text-clasification"}, "did you mean 'text-classification'"),
        ({"task": "object-detection", "returns": "scalar"}, "so it returns rows"),
        ({"task": "text-classification", "batch_size": 4}, "batch_size is for feature-extraction"),
        ({"task": "text-classification", "parameters": "{top_k: 2}"}, "parameters is not JSON"),
        ({"task": "text-classification", "parameters": "[1]"}, "expected a JSON object"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        runner("hf", "http://localhost:1", **options)
