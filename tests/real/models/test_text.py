"""embed_text and similarity: MiniLM, and ConSE on top of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from suffice.errors import ModelError
from suffice.models import minilm, mobilenet
from suffice.models.embed_text import embed_text
from suffice.models.similarity import similarity


def point(text: str) -> np.ndarray:
    model = embed_text()
    [[(embedding,)]] = model.predict([model.prepare(text)])
    return np.array(embedding)


def test_tokens_are_bert_s() -> None:
    # Ids as published for bert-base-uncased.
    assert minilm.tokenise("Hello, world!") == [101, 7592, 1010, 2088, 999, 102]
    assert minilm.tokenise("") == [101, 102]
    assert len(minilm.tokenise("word " * 1000)) == minilm.TOKENS_MAX


def test_meaning_not_letters() -> None:
    query = point("How old are you?")
    assert query.shape == (384,)
    assert query @ query == pytest.approx(1, abs=1e-5)
    assert query @ point("What is your age?") > 0.7 > 0.4 > query @ point("How cold is it in Oslo?")


def test_the_right_words_for_each_picture(pictures: Mapping[str, np.ndarray]) -> None:
    model = similarity()
    texts = {
        "coffee": "a cup of coffee",
        "chelsea": "a cat",
        "camera": "a man with a camera",
        "rocket": "a rocket launch",
    }
    for name in texts:
        pairs = [model.prepare(pictures[name], text) for text in texts.values()]
        scores = [rows[0][0] for rows in model.predict(pairs)]
        assert list(texts)[int(np.argmax(scores))] == name
        assert all(-1 <= score <= 1 for score in scores)


def test_a_picture_is_looked_at_once(pictures: Mapping[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    infer = mobilenet.infer
    monkeypatch.setattr(mobilenet, "infer", lambda batch: looked.append(len(batch)) or infer(batch))
    model = similarity()
    unseen = np.ascontiguousarray(pictures["coffee"][::-1])
    for text in ("tea", "a car", "a dog", "music"):
        model.predict([model.prepare(unseen, text)])
    assert looked == [1]


@pytest.mark.parametrize("factory", [embed_text, similarity])
def test_without_the_extra(factory: type, monkeypatch: pytest.MonkeyPatch) -> None:
    minilm.minilm_path.cache_clear()
    monkeypatch.setattr("suffice.models.installed.find_spec", lambda package: None)
    with pytest.raises(ModelError, match=r"needs the package tokenizers: pip install 'suffice\[text\]'"):
        factory()
