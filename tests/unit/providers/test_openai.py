"""``openai:`` against a server that answers in the documented shape of chat completions."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from loopback_server import Reply, Seen, Server
from PIL import Image

from suffice.errors import ModelError, ModelUnavailableError, UsageError
from suffice.models.http.openai import runner
from suffice.models.http.openai_embedding import runner as embedding
from suffice.models.protocol import Column, Model


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        "system_fingerprint": "fp_1",
    }


def ask(server: Server, *rows: tuple[Any, ...], **options: Any) -> Any:
    model = runner("ask", "gpt-4o-mini", base_url=server.url + "/v1", **options)
    return model.predict([model.prepare(*row) for row in rows])


def test_text_prompt_gives_one_varchar(server: Server) -> None:
    server.replies(Reply(completion("Paris")))
    model = runner("ask", "gpt-4o-mini", base_url=server.url + "/v1", prompt="Capital of {country}? {{brief}}", seed=7)
    assert isinstance(model, Model)
    assert model.signature.inputs == (Column("country", "VARCHAR"),)
    assert model.signature.outputs == (Column("answer", "VARCHAR"),)
    assert model.predict([model.prepare("France {x}")]) == [[("Paris",)]]
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.json == {
        "model": "gpt-4o-mini",
        "seed": 7,
        "messages": [{"role": "user", "content": "Capital of France {x}? {brief}"}],
    }


def test_picture_goes_as_a_jpeg_data_url_where_the_prompt_names_it(server: Server, picture: np.ndarray) -> None:
    server.replies(Reply(completion("yes")))
    prompt = "Is there {thing} in {image}? Say yes or no."
    (rows,) = ask(server, ("a car", picture), prompt=prompt, system="Be terse.", detail="low", max_side_px=30)
    assert rows == [("yes",)]
    system, user = server.seen[0].json["messages"]
    assert system == {"role": "system", "content": "Be terse."}
    before, image, after = user["content"]
    assert before == {"type": "text", "text": "Is there a car in "}
    assert after == {"type": "text", "text": "? Say yes or no."}
    assert image["type"] == "image_url" and image["image_url"]["detail"] == "low"
    kind, data = image["image_url"]["url"].split(",")
    assert kind == "data:image/jpeg;base64"
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert decoded.shape == (20, 30, 3)
    assert decoded[10, 5, 0] > 200 and decoded[10, 25, 2] > 200


def test_declared_picture_without_placeholder_comes_last(server: Server, picture: np.ndarray) -> None:
    server.replies(Reply(completion("yes")))
    ask(server, (picture, "cat"), prompt="A {what}?", inputs="photo IMAGE, what VARCHAR")
    types = [part["type"] for part in server.seen[0].json["messages"][0]["content"]]
    assert types == ["text", "image_url"]


def test_structured_output(server: Server) -> None:
    server.replies(Reply(completion('{"label": "spam", "score": 1, "tags": ["a", "b"], "sure": true}')))
    output = "label VARCHAR, score DOUBLE, tags VARCHAR[], sure BOOLEAN"
    assert ask(server, ("x",), prompt="{t}", output=output) == [[("spam", 1, ["a", "b"], True)]]
    asked = server.seen[0].json["response_format"]
    assert asked["type"] == "json_schema" and asked["json_schema"]["strict"] is True
    assert asked["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "label": {"type": "string"},
            "score": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "sure": {"type": "boolean"},
        },
        "required": ["label", "score", "tags", "sure"],
        "additionalProperties": False,
    }


def test_structured_rows_none_to_many(server: Server) -> None:
    def answer(seen: Seen) -> Reply:
        count = int(seen.json["messages"][0]["content"])
        return Reply(completion(json.dumps({"rows": [{"name": f"n{i}"} for i in range(count)]})))

    server.answer = answer
    options = {"prompt": "{n}", "output": "name VARCHAR", "returns": "rows"}
    assert ask(server, (0,), (2,), **options) == [[], [("n0",), ("n1",)]]
    schema = server.seen[0].json["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["rows"]["items"]["required"] == ["name"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (completion('{"label": "a"}'), "no 'score' in it, but label"),
        (completion('{"label": 3, "score": 0.5}'), "label is 3, not VARCHAR"),
        (completion('{"label": "a", "score": "high"}'), 'score is "high", not DOUBLE'),
        (completion('{"label": null, "score": 0.5}'), "label is null, not VARCHAR"),
        (completion("[1]"), "not a JSON object"),
        (completion("certainly! label: a"), "its text is not JSON"),
        (completion('{"label": "a', finish="length"), "cut off at max_tokens"),
        (completion("", finish="content_filter"), "withheld by the content filter"),
        (completion(None, refusal="I can't help with that."), "the model refuses: I can't help with that."),
        (completion(None), "no text in it"),
        ({"choices": []}, "IndexError"),
        ({"object": "other"}, "KeyError 'choices'"),
        ([1, 2], "cannot use the answer"),
    ],
)
def test_answers_that_do_not_fit_are_errors_of_their_row_and_paid(server: Server, reply: Any, message: str) -> None:
    server.replies(Reply(reply), Reply(completion('{"label": "ok", "score": 0.5}')))
    options = {"prompt": "{t}", "output": "label VARCHAR, score DOUBLE", "base_url": server.url}
    model = runner("judge", "m", **options)
    bad, good = model.predict([model.prepare("1"), model.prepare("2")])
    assert isinstance(bad, ModelError) and message in str(bad) and str(bad).startswith("judge: ")
    assert good == [("ok", 0.5)]
    assert model.spend.calls == 2


def test_half_a_surrogate_pair_becomes_something_a_database_takes(server: Server) -> None:
    server.replies(Reply(completion('{"label": "a\\ud800b", "tags": ["c\\ud800"]}')), Reply(completion("a\ud800b")))
    assert ask(server, ("x",), prompt="{t}", output="label VARCHAR, tags VARCHAR[]") == [[("a?b", ["c?"])]]
    assert ask(server, ("x",), prompt="{t}") == [[("a?b",)]]


def test_usage_becomes_money(server: Server) -> None:
    server.replies(Reply(completion("x")))
    prices = {"price_per_million_input_tokens": 150, "price_per_million_output_tokens": 600}
    model = runner("ask", "m", prompt="{t}", base_url=server.url, **prices)
    model.predict([model.prepare("a"), model.prepare("b")])
    assert (model.spend.calls, model.spend.input_tokens, model.spend.output_tokens) == (2, 200, 40)
    assert model.spend.price == pytest.approx(2 * (100 * 150 + 20 * 600) / 1e6)
    assert model.signature.price > 0


def test_key_goes_from_the_environment_to_its_own_host_only(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.replies(Reply(completion("x")))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-real-one")
    monkeypatch.setenv("LOCAL_KEY", " sk-local \n")
    ask(server, ("a",), prompt="{t}")
    ask(server, ("a",), prompt="{t}", api_key_env="LOCAL_KEY")
    assert [seen.headers.get("authorization") for seen in server.seen] == [None, "Bearer sk-local"]
    assert runner("ask", "m", prompt="{t}").client.headers == {"Authorization": "Bearer ${OPENAI_API_KEY}"}


def test_missing_key_is_named_before_anything_is_sent(server: Server) -> None:
    with pytest.raises(ModelUnavailableError, match="environment variable LOCAL_KEY is not set"):
        ask(server, ("a",), prompt="{t}", api_key_env="LOCAL_KEY")
    assert server.seen == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"promt": "x"}, r"no option 'promt' \(did you mean 'prompt'"),
        ({}, "option prompt is needed"),
        ({"prompt": 3}, "prompt => 3.: expected text"),
        ({"prompt": "{a.b}"}, "{a.b} is not a column name"),
        ({"prompt": "{"}, "write {{ and }} for braces"),
        ({"prompt": "{txt}", "inputs": "text VARCHAR"}, r"{txt} is not one of the inputs text \(did you mean 'text'"),
        ({"prompt": "x", "output": "label VARCHA"}, r"unknown type VARCHA \(did you mean 'VARCHAR'"),
        ({"prompt": "x", "output": "label"}, "'label' is not a column name and its type"),
        ({"prompt": "x", "output": "a TEXT, a TEXT"}, "names a column twice"),
        ({"prompt": "x", "concurrency": 0}, "concurrency => 0.: expected a whole number of at least 1"),
        ({"prompt": "x", "temperature": float("nan")}, "temperature => nan.: expected a number"),
        ({"prompt": "x", "seed": True}, "seed => True.: expected a whole number"),
        ({"prompt": "x", "detail": "hi"}, r"expected 'low' or 'high' or 'auto' \(did you mean 'high'"),
        ({"prompt": "x", "max_price": 1}, "max_price needs a price"),
        ({"prompt": "x", "base_url": "file:///etc"}, "not an address of the form"),
        ({"prompt": "x", "base_url": "https://me:pw@host/v1"}, "holds a user or password"),
        ({"prompt": "x", "base_url": "https://host/v1?api-key=AIza"}, "holds a 'api-key': send it as a header"),
    ],
)
def test_options_are_checked_when_the_model_is_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("{", r"\{").replace(".b}", r"\.b}")):
        runner("ask", "m", **options)


def test_a_model_must_be_named() -> None:
    for make in (runner, embedding):
        with pytest.raises(UsageError, match="name the provider's model after the colon"):
            make("ask", " ")


def test_version_covers_what_decides_the_answer_and_nothing_else() -> None:
    base = {"prompt": "Is {a} good?", "output": "label VARCHAR"}

    def version(model: str = "m", **options: Any) -> str:
        return runner("ask", model, **{**base, **options}).signature.version

    same = [{"api_key_env": "K"}, {"rate_per_s": 3}, {"max_calls": 9}, {"timeout_s": 1}, {"price_per_input": 1}]
    other = [
        {"prompt": "Is {a} bad?"},
        {"output": "label TEXT"},
        {"seed": 1},
        {"base_url": "http://h"},
        {"system": "s"},
    ]
    assert {version(**options) for options in same} == {version()}
    assert len({version(), version("n"), *(version(**options) for options in other)}) == len(other) + 2
    signature = runner("ask", "m", **base, api_key_env="K", rate_per_s=3).signature
    assert dict(signature.options) == {**base, "returns": "scalar"}
