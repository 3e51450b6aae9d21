"""Whatever JSON comes back, every input gets rows of its columns or an error: nothing else gets out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.errors import ModelError
from suffice.models.http import google_vision, hf_endpoint, http_json, openai, openai_embedding
from suffice.models.http.http_model import HttpModel
from suffice.models.protocol import Model

PICTURE = np.zeros((4, 4, 3), np.uint8)
URL = "http://localhost:1"
MODELS = {
    "chat": openai.runner("m", "x", prompt="{t}", base_url=URL, output="a TEXT, b DOUBLE", returns="rows"),
    "embedding": openai_embedding.runner("m", "x", base_url=URL),
    **{task: hf_endpoint.runner("m", URL, task=task) for task in hf_endpoint.TASKS},
    **{feature: google_vision.runner("m", feature, base_url=URL) for feature in google_vision.FEATURES},
    "service": http_json.runner("m", URL, inputs="t TEXT", outputs="a TEXT, b JSON"),
    "mapped": http_json.runner("m", URL, request='"{t}"', rows="outputs", outputs="a TEXT, b JSON"),
}
KEYS = ["choices", "message", "content", "data", "index", "embedding", "label", "score", "box", "xmin", "responses"]
KEYS += ["error", "outputs", "a", "b", "rows", "labelAnnotations", "faceAnnotations", "boundingPoly", "vertices"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANSWERS = st.recursive(
    LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(KEYS), x), max_leaves=12
)


class Canned:
    """A client that answers with what it was given."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def send(self, request: Any, usage_of: Callable[[Any], Any]) -> Any:
        usage_of(self.answer)
        return self.answer

    def says(self, text: str) -> str:
        return text


@pytest.mark.parametrize("name", MODELS)
@given(answer=ANSWERS)
def test_any_answer_gives_rows_or_an_error(name: str, answer: Any) -> None:
    model: HttpModel = replace(MODELS[name], client=Canned(answer))  # type: ignore[arg-type]
    value = PICTURE if model.signature.inputs[0].type == "IMAGE" else "text"
    (outcome,) = model.predict([model.prepare(value)])
    if isinstance(outcome, Exception):
        assert type(outcome) is ModelError
    else:
        assert all(type(row) is tuple and len(row) == len(model.signature.outputs) for row in outcome)


def test_all_are_models_and_make_no_connection_before_the_first_call() -> None:
    for model in MODELS.values():
        assert isinstance(model, Model) and model.client._http is None
