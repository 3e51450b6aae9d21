from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from suffice.models.detect import detect, labels


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


def test_everything_stays_bounded(frames: list[np.ndarray]) -> None:
    model = detect(min_score=0)
    [rows] = model.predict([model.prepare(frames[0])])
    assert 0 < len(rows) <= 1000


def test_a_cup(pictures: Mapping[str, np.ndarray]) -> None:
    model = detect()
    [[row]] = model.predict([model.prepare(pictures["coffee"])])
    assert row[1] == "cup"
