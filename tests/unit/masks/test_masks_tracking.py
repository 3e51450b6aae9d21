"""Ids stay with their things, through crossings, gaps and both directions of time."""

from __future__ import annotations

import numpy as np
import pytest

from suffice.masks.backend import Found
from suffice.masks.found import Candidate
from suffice.masks.prompt import Point, Prompt, ThingPrompt
from suffice.masks.tracking.associate import associate
from suffice.masks.tracking.follow import Follow, Numbered, follow
from suffice.masks.tracking.motion import Motion
from suffice.masks.tracking.shift import shift_of
from suffice.masks.tracking.tracker import Tracker, TrackSettings


def at(x, y, score=0.9, label="person", size=20):
    return Found((x, y, x + size, y + size), score, label, label)


def run(tracker, frames):
    return [{track.id: track.found.box_xyxy[:2] for track in tracker.update(found)} for found in frames]


def test_two_that_cross_keep_their_ids():
    frames = [[at(5 * t, 50), at(200 - 5 * t, 62)] for t in range(40)]
    seen = run(Tracker(), frames)
    assert seen[0] == {} and set(seen[1]) == {1, 2}
    assert all(ids[1] == (5 * t, 50) and ids[2] == (200 - 5 * t, 62) for t, ids in enumerate(seen) if t)


def test_one_that_is_hidden_for_a_while_comes_back_as_itself():
    frames = [[at(4 * t, 10)] if not 10 <= t < 18 else [] for t in range(30)]
    seen = run(Tracker(TrackSettings(patience=10)), frames)
    assert all(not ids for ids in seen[10:18]) and set(seen[29]) == {1}
    seen = run(Tracker(TrackSettings(patience=5)), frames)
    assert set(seen[29]) == {2}


def test_a_flicker_gets_no_id_and_unsure_boxes_only_go_on():
    assert run(Tracker(), [[at(0, 0)], [], [at(100, 0)], []]) == [{}, {}, {}, {}]
    tracker = Tracker()
    run(tracker, [[at(0, 0)], [at(1, 0)]])
    assert set(run(tracker, [[at(2, 0, score=0.3)]])[0]) == {1}
    assert run(Tracker(), [[at(0, 0, score=0.3)]] * 5)[-1] == {}


def test_labels_are_not_mixed():
    pairs = associate([(0, 0, 9, 9)], ["cat"], [(0, 0, 9, 9)], ["dog"], 0.1)
    assert pairs.matched == [] and pairs.known_left == [0] and pairs.seen_left == [0]


def test_motion_expects_what_goes_straight_on():
    motion = Motion((0, 0, 10, 20))
    for step in range(1, 20):
        motion.predict()
        motion.correct((3 * step, 0, 3 * step + 10, 20))
    x0, y0, _, _ = motion.predict()
    assert x0 == pytest.approx(60, abs=1) and y0 == pytest.approx(0, abs=0.5)


def textured(seed=0, height=120, width=160):
    from scipy import ndimage

    rough = np.random.default_rng(seed).normal(size=(height, width, 3))
    smooth = ndimage.gaussian_filter(rough, (2, 2, 0))
    return np.uint8(127 + 60 * smooth / np.abs(smooth).max())


@pytest.mark.parametrize("move", [(0, 0), (5, -3), (-8, 7)])
def test_a_patch_is_found_where_it_went(move):
    before = textured()
    after = np.roll(before, move[::-1], axis=(0, 1))
    shift = shift_of(before, (60, 40, 90, 80), after)
    assert (shift.x, shift.y) == move and shift.likeness > 0.99
    assert shift_of(before, (60, 40, 90, 80), textured(9)).likeness < 0.6


class Boxer:
    """Masks are the boxes themselves."""

    name, version = "boxer", "1"

    def encode(self, image):
        return image

    def segment(self, encoded, things):
        return [(Candidate(self._mask(encoded, thing), 0.8),) for thing in things]

    @staticmethod
    def _mask(image, thing):
        x, y = (thing.points[0].x, thing.points[0].y) if thing.points else (0, 0)
        x0, y0, x1, y1 = thing.box_xyxy or (x - 10, y - 10, x + 10, y + 10)
        mask = np.zeros(image.shape[:2], bool)
        mask[max(int(y0), 0) : int(y1), max(int(x0), 0) : int(x1)] = True
        return mask


def moving_square(steps):
    """A textured square that goes right over a plain ground."""
    patch, frames = textured(3)[:30, :30], []
    for t in range(steps):
        image = np.full((120, 160, 3), 90, np.uint8)
        image[40:70, 10 + 4 * t : 40 + 4 * t] = patch
        frames.append((t, image))
    return frames


@pytest.mark.parametrize("is_backward", [False, True])
def test_a_prompted_thing_that_no_word_finds_is_followed(is_backward):
    frames = moving_square(20)[:: -1 if is_backward else 1]
    start = 10 + 4 * frames[0][0]
    prompt = Prompt(things=(ThingPrompt(box_xyxy=(start, 40, start + 30, 70)),))
    for each in follow(frames, Follow(prompt), Boxer(), None):
        (thing,) = each.things
        assert thing.id == 1
        assert abs(thing.box_xyxy[0] - (10 + 4 * each.frame_index)) <= 4


def test_a_thing_that_is_gone_is_lost():
    frames = moving_square(5) + [(t, textured(t)) for t in range(5, 9)]
    prompt = Prompt(things=(ThingPrompt(box_xyxy=(10, 40, 40, 70)),))
    counts = [len(each.things) for each in follow(frames, Follow(prompt), Boxer(), None)]
    assert counts[:5] == [1] * 5 and counts[-1] == 0


def test_a_new_prompt_on_a_later_frame_puts_an_id_right_and_adds_another():
    frames = moving_square(12)
    asked = Follow(
        Prompt(things=(ThingPrompt(box_xyxy=(100, 90, 120, 110)),)),
        {4: [Numbered(1, ThingPrompt(box_xyxy=(26, 40, 56, 70))), Numbered(5, ThingPrompt(points=(Point(80, 20),)))]},
    )
    seen = {each.frame_index: {t.id: t.box_xyxy for t in each.things} for each in follow(frames, asked, Boxer(), None)}
    assert seen[4][1] == (26, 40, 56, 70) and 5 in seen[4]
    assert abs(seen[11][1][0] - 54) <= 4


def test_frames_are_not_held(monkeypatch):
    import gc
    import weakref

    alive = []

    def frames():
        for t, image in moving_square(15):
            own = image.copy()
            alive.append(weakref.ref(own))
            yield t, own

    prompt = Prompt(things=(ThingPrompt(box_xyxy=(10, 40, 40, 70)),))
    for each in follow(frames(), Follow(prompt), Boxer(), None):
        del each
        gc.collect()
        assert sum(ref() is not None for ref in alive) <= 3


class Sees:
    """Finds what the test says, frame by frame."""

    name, version = "sees", "1"

    def __init__(self, boxes):
        self.boxes = iter(boxes)

    def find(self, image, prompt):
        return [Found(box, 0.9, "thing", "thing") for box in next(self.boxes)]


def found_ids(boxes):
    frames = [(t, np.zeros((120, 160, 3), np.uint8)) for t in range(len(boxes))]
    asked = Follow(Prompt(texts=("thing",)))
    return [{t.id: t.box_xyxy for t in each.things} for each in follow(frames, asked, Boxer(), Sees(boxes))]


def test_a_found_thing_is_shown_from_its_first_frame_and_a_flicker_never():
    stays, comes, flicker = (10, 10, 40, 60), (80, 20, 110, 70), (120, 80, 150, 110)
    seen = found_ids([[stays, flicker], [stays], [stays, comes], [stays, comes], [stays, flicker]])
    assert [sorted(each.values()) for each in seen] == [[stays], [stays], [stays, comes], [stays, comes], [stays]]
    assert len({number for each in seen for number in each}) == 2
    assert list(found_ids([[stays]])[0].values()) == [stays]
    assert found_ids([]) == []
