"""classify, classes, tag and embed on photographs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from suffice.models.classes import classes
from suffice.models.classify import classify
from suffice.models.embed import embed
from suffice.models.protocol import Model
from suffice.models.tag import tag


def ask(model: Model, picture: np.ndarray) -> list[tuple]:
    [rows] = model.predict([model.prepare(picture)])
    return rows


@pytest.mark.parametrize(
    ("picture", "label"),
    [("coffee", "espresso"), ("chelsea", "Egyptian cat"), ("camera", "tripod"), ("rocket", "space shuttle")],
)
def test_classify(picture: str, label: str, pictures: Mapping[str, np.ndarray]) -> None:
    assert ask(classify(), pictures[picture]) == [(label,)]


def test_classes_are_ranked_probabilities(pictures: Mapping[str, np.ndarray]) -> None:
    rows = ask(classes(k=1000), pictures["chelsea"])
    assert [rank for _, _, rank in rows] == list(range(1, 1001))
    assert sum(score for _, score, _ in rows) == pytest.approx(1, abs=1e-5)
    assert [label for label, _, _ in rows[:3]] == ["Egyptian cat", "tiger cat", "tabby"]
    likely = [row for row in rows if row[1] >= 0.1]
    assert ask(classes(min_score=0.1), pictures["chelsea"]) == likely[:5]


def test_tag_keeps_the_likely(pictures: Mapping[str, np.ndarray]) -> None:
    assert ask(tag(), pictures["chelsea"]) == [(["Egyptian cat", "tiger cat", "tabby"],)]
    assert ask(tag(k=2), pictures["chelsea"]) == [(["Egyptian cat", "tiger cat"],)]
    assert ask(tag(min_score=1), pictures["chelsea"]) == [([],)]


def test_embed_finds_the_same_picture_again(pictures: Mapping[str, np.ndarray]) -> None:
    model = embed()
    points = {name: np.array(ask(model, picture)[0][0]) for name, picture in pictures.items()}
    assert {point.shape for point in points.values()} == {(1280,)}
    assert [float(point @ point) for point in points.values()] == pytest.approx([1] * len(points), abs=1e-5)
    darker = (pictures["chelsea"][:, ::-1] * 0.8).astype(np.uint8)
    query = np.array(ask(model, np.ascontiguousarray(darker))[0][0])
    assert max(points, key=lambda name: points[name] @ query) == "chelsea"
    assert points["chelsea"] @ query > 0.8
