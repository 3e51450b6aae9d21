from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from suffice.errors import UsageError
from suffice.models.detect import ROUGH, detect, labels
from suffice.models.difference import difference


def test_labels_are_coco() -> None:
    assert len(labels()) == len(set(labels())) == 80
    assert (labels()[0], labels()[5], labels()[79]) == ("person", "bus", "toothbrush")


def test_the_three_walkers_of_the_first_frame(frames: list[np.ndarray]) -> None:
    model = detect()
    [rows] = model.predict([model.prepare(frames[0])])
    people = [row for row in rows if row[1] == "person"]
    centres = [(515, 199), (268, 262), (661, 282)]  # read off the picture by eye
    for x, y in centres:
        assert sum(x0 < x < x1 and y0 < y < y1 for *_, x0, y0, x1, y1 in people) == 1
    assert len(people) == len(centres)
    assert [row[0] for row in rows] == list(range(len(rows)))


def test_every_frame_has_people_and_boxes_lie_inside(frames: list[np.ndarray]) -> None:
    model = detect()
    for rows in model.predict([model.prepare(frame) for frame in frames]):
        assert "person" in {row[1] for row in rows}
        for *_, x0, y0, x1, y1 in rows:
            assert 0 <= x0 < x1 <= 768 and 0 <= y0 < y1 <= 576
        scores = [row[2] for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert min(scores) >= 0.5


def test_a_lower_threshold_only_adds(frames: list[np.ndarray]) -> None:
    strict, loose = detect(min_score=0.6), detect(min_score=0.2)
    [few], [many] = (model.predict([model.prepare(frames[0])]) for model in (strict, loose))
    assert len(few) < len(many)
    # Best first and greedy: what is weaker never displaces what is stronger.
    assert [row[1:] for row in many[: len(few)]] == [row[1:] for row in few]


def test_a_smaller_picture_costs_less_and_finds_the_same_things_roughly(frames: list[np.ndarray]) -> None:
    full, rough = detect(), detect(**ROUGH)
    assert full.signature.rough == ROUGH and rough.signature.rough == {} and "side" not in full.signature.options
    assert rough.signature.options["side"] == 192 and rough.signature.cost_s < full.signature.cost_s / 4
    [few], [all_] = (model.predict([model.prepare(frames[0])]) for model in (rough, full))
    for *_, x0, y0, x1, y1 in (row for row in all_ if row[1] == "person"):
        centre = (x0 + x1) / 2, (y0 + y1) / 2
        assert any(
            a < centre[0] < c and b < centre[1] < d and row[1] == "person" for row in few for a, b, c, d in [row[3:]]
        )
    [larger] = detect(side=512).predict([detect(side=512).prepare(frames[0])])
    assert {row[1] for row in larger} >= {"person"} and all(row[5] <= 768 for row in larger)
    with pytest.raises(UsageError, match="expected a multiple of 32: 192 or 224"):
        detect(side=200)


def test_a_frame_differs_where_something_moved(frames: list[np.ndarray]) -> None:
    model = difference()

    def said(one: np.ndarray, other: np.ndarray) -> float:
        [[(share,)]] = model.predict([model.prepare(one, other)])
        return float(share)

    assert said(frames[0], frames[0]) == 0.0
    assert said(np.zeros((64, 64, 3), np.uint8), np.full((128, 64, 3), 255, np.uint8)) == 1.0
    assert 0 < said(frames[0], frames[1]) < 0.5


def test_everything_stays_bounded(frames: list[np.ndarray]) -> None:
    model = detect(min_score=0)
    [rows] = model.predict([model.prepare(frames[0])])
    assert 0 < len(rows) <= 1000


def test_a_cup(pictures: Mapping[str, np.ndarray]) -> None:
    model = detect()
    [[row]] = model.predict([model.prepare(pictures["coffee"])])
    assert row[1] == "cup"
