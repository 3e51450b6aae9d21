"""``http:``: request templates, JMESPath mappings, and the shape of suffice's own model service."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback_server import Reply, Seen, Server

from suffice.errors import ModelError, UsageError
from suffice.models.http.columns import parse_columns
from suffice.models.http.http_json import runner
from suffice.models.http.template import fill_json
from suffice.models.protocol import IMAGE, Column


def call(server: Server, *rows: tuple[Any, ...], **options: Any) -> Any:
    model = runner("m", server.url + "/score?v=1", **options)
    return model.predict([model.prepare(*row) for row in rows])


def test_mapping_of_request_rows_and_columns(server: Server) -> None:
    found = [{"class": {"name": "cat"}, "p": 0.75, "box": [1, 2]}, {"class": {"name": "dog"}, "p": 1, "box": None}]
    server.replies(Reply({"result": {"found": found}}))
    outcome = call(
        server,
        ("a 'quoted' \"text\"", 3),
        inputs="text VARCHAR, n INTEGER",
        request='{"q": "say {text}!", "limit": "{n}", "nested": [{"raw": "{text}"}], "fixed": true}',
        rows="result.found[*]",
        outputs="label VARCHAR = class.name, score DOUBLE = p, box JSON",
        headers={"X-Version": "2"},
    )
    assert outcome == [[("cat", 0.75, "[1, 2]"), ("dog", 1, None)]]
    (seen,) = server.seen
    assert seen.path == "/score?v=1" and seen.headers["x-version"] == "2"
    text = "a 'quoted' \"text\""
    assert seen.json == {"q": f"say {text}!", "limit": 3, "nested": [{"raw": text}], "fixed": True}


def test_paths_may_hold_commas_and_equal_signs(server: Server) -> None:
    server.replies(Reply({"all": [{"k": "a", "v": 1}, {"k": "b", "v": 5}]}))
    outputs = "best VARCHAR = max_by(all, &v).k, b BIGINT = all[?k=='b'].v | [0]"
    assert call(server, ("x",), request='"{t}"', outputs=outputs) == [[("b", 5)]]


def test_an_empty_list_is_no_rows_but_a_path_to_nothing_is_an_error(server: Server) -> None:
    server.replies(Reply({"items": []}), Reply({"itens": [{"label": "a"}]}), Reply({"items": [{"name": "a"}]}))
    options = {"request": '{"t": "{t}"}', "rows": "items[*]", "outputs": "label VARCHAR"}
    none, lost, unnamed = call(server, ("x",), ("x",), ("x",), **options)
    assert none == []
    assert isinstance(lost, ModelError) and "the rows path finds nothing" in str(lost)
    assert isinstance(unnamed, ModelError) and "no output column is found in the row {'name': 'a'}" in str(unnamed)


def test_scalar_means_exactly_one_row(server: Server) -> None:
    server.replies(Reply([{"a": "x"}, {"a": "y"}]), Reply([]), Reply([{"a": "z"}]))
    two, none, one = call(server, *[("t",)] * 3, request='"{t}"', outputs="a TEXT", returns="scalar")
    assert isinstance(two, ModelError) and "2 rows where one is expected" in str(two)
    assert isinstance(none, ModelError) and "0 rows where one is expected" in str(none)
    assert one == [("z",)]


def test_picture_as_base64_anywhere_in_a_text(server: Server, picture: np.ndarray) -> None:
    server.replies(Reply({"label": "a"}))
    call(server, (picture,), request='{"a": "{image}", "b": "data:image/jpeg;base64,{image}"}', outputs="label VARCHAR")
    sent = server.seen[0].json
    assert base64.b64decode(sent["a"])[:2] == b"\xff\xd8" and sent["b"] == "data:image/jpeg;base64," + sent["a"]


def test_get_sends_query_parameters(server: Server) -> None:
    server.replies(Reply({"label": "a"}))
    assert call(server, ("x&y=z",), request='{"q": "{t}"}', outputs="label VARCHAR", method="GET") == [[("a",)]]
    assert (server.seen[0].method, server.seen[0].path) == ("GET", "/score?v=1&q=x%26y%3Dz")


def test_own_service_shape_in_batches(server: Server, picture: np.ndarray) -> None:
    def answer(seen: Seen) -> Reply:
        def output(row: dict[str, Any]) -> Any:
            if row["text"] == "bad":
                return {"error": "cannot read it"}
            return [{"label": row["text"] * i, "score": len(row["image"]) / 1e9} for i in range(row["n"])]

        return Reply({"outputs": [output(row) for row in seen.json["inputs"]]})

    server.answer = answer
    rows = [(picture, "a", 0), (picture, "bad", 1), (picture, "c", 2)]
    options = {"inputs": "image IMAGE, text VARCHAR, n INTEGER", "outputs": "label VARCHAR", "batch_size": 2}
    none, bad, two = call(server, *rows, **options)
    assert none == [] and two == [("",), ("c",)]
    assert isinstance(bad, ModelError) and "cannot read it" in str(bad)
    assert [len(seen.json["inputs"]) for seen in server.seen] == [2, 1]


def test_numpy_dates_and_not_a_number_can_be_sent(server: Server) -> None:
    server.replies(Reply({"outputs": [[{"x": None}]]}))
    row = (np.float32(0.5), np.array([1.0, np.nan]), datetime.date(2026, 1, 2), None)
    inputs = "a DOUBLE, b DOUBLE[], c VARCHAR, d VARCHAR"
    assert call(server, row, inputs=inputs, outputs="x DOUBLE") == [[(None,)]]
    assert server.seen[0].json == {"inputs": [{"a": 0.5, "b": [1.0, None], "c": "2026-01-02", "d": None}]}


@pytest.mark.parametrize(
    ("value", "type_", "message"),
    [
        (300, "TINYINT", "x is 300, too large for TINYINT"),
        (1.5, "INTEGER", "x is 1.5, not INTEGER"),
        (True, "BIGINT", "x is true, not BIGINT"),
        ("1", "DOUBLE", 'x is "1", not DOUBLE'),
        (1, "BOOLEAN", "x is 1, not BOOLEAN"),
        ([1, "a"], "INTEGER[]", 'x is "a", not INTEGER'),
        ({"a": 1}, "VARCHAR", 'x is {"a": 1}, not VARCHAR'),
    ],
)
def test_values_of_another_type_are_errors(server: Server, value: Any, type_: str, message: str) -> None:
    server.replies(Reply({"outputs": [[{"x": value}]]}))
    (outcome,) = call(server, ("t",), inputs="t VARCHAR", outputs=f"x {type_}")
    assert isinstance(outcome, ModelError) and message in str(outcome)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "a TEXT"}, "name its columns"),
        ({"inputs": "t TEXT"}, "option outputs is needed"),
        ({"inputs": "t TEXT", "outputs": "a TEXT = b"}, "go with a request template"),
        ({"request": "{", "outputs": "a TEXT"}, "request is not JSON"),
        ({"request": '"{t}"', "outputs": "a TEXT = b..c"}, r"path 'b\.\.c'"),
        ({"request": '"{t}"', "outputs": "a TEXT", "batch_size": 2}, "batch_size is 1"),
        ({"request": '"{t}"', "outputs": "a TEXT", "method": "GET"}, "flat JSON object"),
        ({"request": '"{t}"', "outputs": "a TEXT", "headers": {"Authorization": "Bearer abc"}}, "write \\${VARIABLE}"),
        ({"request": '"{t}"', "outputs": "a TEXT", "headers": {"X-Api-Key": "abc"}}, "must take its key from"),
        ({"request": '"{t}"', "outputs": "a TEXT", "headers": {"A": "b\r\nC: d"}}, "one-line text"),
        ({"request": '"{t}"', "outputs": "a TEXT", "headers": {"A\nB": "c"}}, "is not a name"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        runner("m", "http://localhost:1", **options)


def test_locator_may_be_what_sql_splits_off() -> None:
    assert runner("m", "//h/x", inputs="t TEXT", outputs="a TEXT").client.url == "http://h/x"


def test_columns_with_image_only_among_inputs() -> None:
    assert parse_columns("m", 'photo IMAGE, "n"  double [] ', (IMAGE,)) == [
        (Column("photo", "IMAGE"), ""),
        (Column("n", "DOUBLE[]"), ""),
    ]
    with pytest.raises(UsageError, match="unknown type IMAGE"):
        parse_columns("m", "photo IMAGE")


@given(value=st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert fill_json({"a": ["<{t}>", "{t}"]}, {"t": value}) == {"a": [f"<{value}>", value]}
