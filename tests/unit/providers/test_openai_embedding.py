"""``openai-embedding:`` against a server that answers in the documented shape of embeddings."""

from __future__ import annotations

from typing import Any

import pytest
from loopback_server import Reply, Seen, Server

from suffice.errors import ModelError
from suffice.models.http.openai_embedding import runner


def embeddings(seen: Seen) -> Reply:
    """Each text's length and its place, in reverse order: the index counts, not the position."""
    texts = seen.json["input"]
    if any(not text for text in texts):
        error = {"message": "'$.input' is invalid: empty text.", "type": "invalid_request_error", "param": None}
        return Reply({"error": {**error, "code": None}}, status=400)
    data = [{"object": "embedding", "index": i, "embedding": [float(len(t)), 0.5]} for i, t in enumerate(texts)]
    usage = {"prompt_tokens": 10 * len(texts), "total_tokens": 10 * len(texts)}
    return Reply({"object": "list", "data": data[::-1], "model": seen.json["model"], "usage": usage})


def embed(server: Server, texts: list[str], **options: Any) -> Any:
    model = runner("embed", "text-embedding-3-small", base_url=server.url, **options)
    return model, model.predict([model.prepare(text) for text in texts])


def test_vectors_come_back_in_the_order_of_their_texts(server: Server) -> None:
    server.answer = embeddings
    model, outcomes = embed(server, ["a", "bb", "ccc", "dddd", "eeeee"], batch_size=2, dimensions=2)
    assert outcomes == [[([float(n), 0.5],)] for n in range(1, 6)]
    assert [len(seen.json["input"]) for seen in server.seen] == [2, 2, 1]
    first = server.seen[0]
    assert (first.path, first.json["dimensions"], first.json["encoding_format"]) == ("/embeddings", 2, "float")
    assert (model.spend.calls, model.spend.inputs, model.spend.input_tokens) == (3, 5, 50)


def test_one_bad_text_of_a_batch_stands_alone(server: Server) -> None:
    server.answer = embeddings
    model, outcomes = embed(server, ["a", "b", "c", "", "e", "f", "g", "h"])
    assert isinstance(outcomes[3], ModelError) and "empty text" in str(outcomes[3])
    assert [o for i, o in enumerate(outcomes) if i != 3] == [[([1.0, 0.5],)]] * 7
    # Halving: 8 rejected, 4 rejected, 2 answered, 2 rejected, 1 answered, 1 rejected, 4 answered.
    assert [len(seen.json["input"]) for seen in server.seen] == [8, 4, 2, 2, 1, 1, 4]
    assert model.spend.calls == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "KeyError 0"),
        ([{"index": 0, "embedding": [1.0, "x"]}], "not a list of numbers"),
        ([{"index": 0, "embedding": []}], "not a list of finite numbers"),
        ([{"index": 0, "embedding": [[1.0]]}], "not a list of finite numbers"),
        ([{"index": 0, "embedding": [1.0, 2.0, 3.0]}], "has 3 numbers, not 2"),
    ],
)
def test_wrong_vectors_are_errors(server: Server, data: Any, message: str) -> None:
    server.replies(Reply({"object": "list", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}))
    _, (outcome,) = embed(server, ["a"], dimensions=2)
    assert isinstance(outcome, ModelError) and message in str(outcome)
