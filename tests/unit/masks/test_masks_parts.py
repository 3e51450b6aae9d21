"""The small parts: prompts are checked, steps keep their order, pixels outside a mask stay, cuts are the best."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from suffice.errors import MediaError, SufficeError, UsageError
from suffice.masks import api, large
from suffice.masks.ask import ask
from suffice.masks.backend import Found
from suffice.masks.combine import intersection, subtract, union
from suffice.masks.default.expected_iou import best_cut, expected_iou
from suffice.masks.default.smooth import smooth
from suffice.masks.default.tapped_mobilenet import with_outputs
from suffice.masks.default.word_match import match_word
from suffice.masks.embeddings import Embeddings
from suffice.masks.found import Candidate
from suffice.masks.handover import hand_over
from suffice.masks.matting import trimap
from suffice.masks.names import finder_named, segmenter_named
from suffice.masks.prompt import Point, Prompt, ThingPrompt, box_prompt, checked, point_prompt, text_prompt
from suffice.masks.promptable.automatic import crops, grid, stability
from suffice.masks.semantic.semantic_map import SemanticMap
from suffice.masks.settle_found import settle_found
from suffice.masks.steps import parse_step, take_steps
from suffice.media.mask_rle import decode_rle
from suffice.models.detect import labels


class Oracle:
    """Fills the rectangle of one colour that a prompt's middle lies on: what a perfect network would say."""

    name, version = "oracle", "1"

    def __init__(self):
        self.encoded = 0

    def encode(self, image):
        self.encoded += 1
        return image

    def segment(self, encoded, things):
        return [(Candidate(self._of(encoded, thing), 0.9),) for thing in things]

    def everything(self, encoded):
        colours = np.unique(encoded.reshape(-1, 3), axis=0)
        return [Candidate((encoded == colour).all(axis=-1), 0.5) for colour in colours]

    @staticmethod
    def _of(image, thing):
        if thing.points:
            x, y = thing.points[0].x, thing.points[0].y
        else:
            x, y = (thing.box_xyxy[0] + thing.box_xyxy[2]) / 2, (thing.box_xyxy[1] + thing.box_xyxy[3]) / 2
        return (image == image[int(y), int(x)]).all(axis=-1)


class Tiles:
    """Finds every tile, whatever the word; two of them twice."""

    name, version = "tiles", "1"

    def find(self, image, prompt):
        boxes = [(x, y, x + 10, y + 10) for y in (0, 10) for x in (0, 10, 20)]
        found = [Found(box, 0.9 - 0.1 * n, "tile", "tile") for n, box in enumerate(boxes)]
        return [*found, Found((1, 0, 11, 10), 0.35, "tile", "tile"), Found((0, 0, 10, 10), 0.3, "other", "tile")]


@pytest.fixture
def mosaic():
    image = np.zeros((20, 30, 3), np.uint8)
    for number, (row, column) in enumerate(itertools.product(range(2), range(3))):
        image[row * 10 : row * 10 + 10, column * 10 : column * 10 + 10] = 40 * number
    return image


def test_points_boxes_words_and_everything_in_one_prompt(mosaic):
    prompt = Prompt(
        things=(ThingPrompt(points=(Point(5, 5),)), ThingPrompt(box_xyxy=(10, 10, 20, 20))),
        texts=("tile",),
        chosen=(0, 2),
        everything=True,
    )
    oracle = Oracle()
    things = ask(mosaic, prompt, oracle, Tiles())
    assert [thing.id for thing in things] == list(range(1, 11))
    assert [thing.box_xyxy for thing in things[:4]] == [
        (0, 0, 10, 10), (10, 10, 20, 20), (0, 0, 10, 10), (20, 0, 30, 10),
    ]  # fmt: skip
    assert things[2].label == "tile" and things[2].score == 0.9
    assert {thing.area for thing in things} == {100}
    assert oracle.encoded == 1


def test_found_boxes_are_settled():
    found = Tiles().find(None, Prompt(texts=("tile",)))
    kept = settle_found(found, Prompt(texts=("tile",), iou_max=0.5))
    assert len(kept) == 7 and [f.score for f in kept] == sorted((f.score for f in kept), reverse=True)
    with pytest.raises(UsageError, match="box 9"):
        settle_found(found, Prompt(texts=("tile",), chosen=(9,)))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Prompt(), "nothing is asked"),
        (text_prompt(" . "), "empty"),
        (point_prompt(Point(30, 5)), "outside"),
        (point_prompt(Point(5, 5, False)), "point on it"),
        (box_prompt((3, 3, 3, 9)), "no area"),
        (box_prompt((30, 0, 40, 9)), "outside"),
        (box_prompt((0, 0, float("nan"), 9)), "X0,Y0,X1,Y1"),
        (Prompt(things=(ThingPrompt(mask=np.ones((3, 3), bool)),)), "fit"),
        (Prompt(things=(ThingPrompt(mask=np.zeros((20, 30), bool)),)), "not empty"),
    ],
)
def test_prompts_that_cannot_be(prompt, words):
    with pytest.raises(UsageError, match=words):
        checked(prompt, 30, 20)


def test_a_picture_of_too_many_pixels_is_refused_with_the_limit():
    huge = np.broadcast_to(np.zeros(3, np.uint8), (20_000, 20_000, 3))
    with pytest.raises(MediaError, match="89478485"):
        ask(huge, box_prompt((0, 0, 1, 1)), Oracle())


class Window:
    """Looks at no more than a tile, and says how much it saw."""

    name, version = "window", "1"

    def __init__(self):
        self.seen_hw = []

    def encode(self, image):
        self.seen_hw.append(image.shape[:2])
        return image

    def segment(self, encoded, things):
        return [(Candidate(Oracle._of(encoded, thing), 0.9),) for thing in things]

    def find(self, image, prompt):
        """Boxes of what is not black, as long as it is not too small for the picture."""
        labelled, _ = ndimage.label(image.any(axis=-1))
        boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labelled)]
        seen = [box for box in boxes if box[2] - box[0] >= max(image.shape) / 50]
        return [Found(tuple(map(float, box)), 0.9, "thing", "thing") for box in seen]


def test_a_large_picture_is_looked_at_in_parts():
    image = np.zeros((1500, 8000, 3), np.uint8)
    image[500:600, 3990:4060] = 200
    image[1400:1500, 7900:8000] = 90
    image[100:1300, 1000:2400] = 30
    segmenter = Window()
    (clicked,) = ask(image, point_prompt(Point(4000, 550)), segmenter)
    assert clicked.box_xyxy == (3990, 500, 4060, 600) and clicked.mask.shape == (1500, 8000)
    (boxed,) = ask(image, box_prompt((1000, 100, 2400, 1300)), segmenter)
    assert boxed.area == 1200 * 1400
    assert max(max(hw) for hw in segmenter.seen_hw) <= 2800
    found = ask(image, text_prompt("thing"), segmenter, segmenter)
    assert sorted(thing.box_xyxy for thing in found) == [
        (1000, 100, 2400, 1300), (3990, 500, 4060, 600), (7900, 1400, 8000, 1500),
    ]  # fmt: skip
    off = Prompt(things=(ThingPrompt(points=(Point(4000, 550), Point(10, 10, False))),))
    assert ask(image, off, segmenter)[0].area == 7000


@pytest.mark.parametrize("length", [1, 2048, 2049, 3000, 4097, 20_000])
def test_tiles_cover_a_length_by_halves(length):
    covered = np.zeros((length, 1), int)
    for tile in large.tiles(length, 1):
        covered[tile.y0 : tile.y1] += 1
    assert covered.min() >= 1 and (length <= 4096 or np.median(covered) == 2)


def test_pictures_are_encoded_side_by_side_and_each_once():
    both_are_in = threading.Barrier(2, timeout=20)

    class Slow(Oracle):
        def encode(self, image):
            both_are_in.wait()
            return super().encode(image)

    embeddings, slow = Embeddings(), Slow()
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in (1, 2, 1, 2)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: embeddings.encode(slow, picture), pictures))
    assert slow.encoded == embeddings.encoded_count == 2 and found[0] is found[2] and found[1] is found[3]


def test_steps_are_taken_in_order():
    dot = np.zeros((21, 21), bool)
    dot[10, 10] = True
    grown = take_steps(dot, [parse_step("grow=4"), parse_step("invert")])
    other = take_steps(dot, [parse_step("invert"), parse_step("grow=4")])
    rows, columns = np.indices(dot.shape)
    disk = (rows - 10) ** 2 + (columns - 10) ** 2 <= 16
    assert np.array_equal(grown, ~disk) and other.all()


@pytest.mark.parametrize("text", ["grwo=4", "grow", "grow=x", "grow=-1", "shrink=nan"])
def test_steps_that_are_none(text):
    with pytest.raises(UsageError):
        parse_step(text)


def test_combining():
    a, b = np.array([[1, 1, 0, 0]], bool), np.array([[0, 1, 1, 0]], bool)
    assert union([a, b], (1, 4)).tolist() == [[True, True, True, False]]
    assert intersection([a, b], (1, 4)).tolist() == [[False, True, False, False]]
    assert subtract(a, [b]).tolist() == [[True, False, False, False]]
    assert not union([], (1, 4)).any()
    with pytest.raises(UsageError, match="different sizes"):
        union([a, b.T], (1, 4))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=9))
def test_the_cut_is_the_best_of_all_masks(values):
    probability = np.array(values, np.float32)
    cut = best_cut(probability)
    every = itertools.product([False, True], repeat=len(values))
    best = max(expected_iou(probability, np.array(mask)) for mask in every)
    assert cut.iou == pytest.approx(best, abs=1e-6)
    assert expected_iou(probability, probability >= cut.threshold) == pytest.approx(best, abs=1e-6)


def test_smoothing_solves_its_equation():
    rng = np.random.default_rng(0)
    values, colour = rng.normal(size=(9, 11)).astype(np.float32), rng.normal(size=(9, 11, 3)).astype(np.float32)
    x = smooth(values, 0.5, colour, 400)
    from suffice.masks.default.smooth import _weights

    across, down = _weights(colour)
    rest = 0.5 * (x - values)
    flow = (x[:, 1:] - x[:, :-1]) * across
    rest[:, 1:] += flow
    rest[:, :-1] -= flow
    flow = (x[1:] - x[:-1]) * down
    rest[1:] += flow
    rest[:-1] -= flow
    assert np.abs(rest).max() < 1e-2
    assert smooth(np.full((4, 4), 3.0, np.float32), 0.1, colour[:4, :4], 50) == pytest.approx(3.0, abs=1e-4)


def test_appended_outputs_are_outputs():
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    nodes = [helper.make_node("Relu", ["x"], ["inner"]), helper.make_node("Neg", ["inner"], ["y"])]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", value[:1], value[1:]))
    more = onnx.load_from_string(with_outputs(model.SerializeToString(), ["inner"]))
    assert [output.name for output in more.graph.output] == ["y", "inner"]
    assert len(more.graph.node) == 2


def test_words_match_names():
    assert match_word("Cats", labels()).label == "cat"
    assert match_word("people", labels())[:2] == ("person", 1.0)
    assert match_word("woman", labels())[:2] == ("person", 0.8)


def test_a_handover_paints_only_inside():
    image = np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    mask = np.zeros((50, 60), bool)
    mask[20:30, 10:33] = True
    given_ = hand_over(image, mask, padding_px=3, provenance={"model": "x"})
    assert [(b - a) % 8 for a, b in [(given_.crop.x0, given_.crop.x1), (given_.crop.y0, given_.crop.y1)]] == [0, 0]
    crop, inside = given_.cropped()
    painted = given_.pasted(255 - crop)
    assert np.array_equal(painted[~mask], image[~mask])
    assert np.array_equal(painted[mask], (255 - image)[mask]) and inside.sum() == mask.sum()
    with pytest.raises(UsageError):
        given_.pasted(crop[:5])
    with pytest.raises(UsageError, match="empty"):
        hand_over(image, np.zeros((50, 60), bool))


def test_names_that_nobody_offers():
    with pytest.raises(UsageError, match="default"):
        segmenter_named("defualt")
    with pytest.raises(UsageError, match="hf:"):
        segmenter_named("hf")
    with pytest.raises(UsageError, match="no finder"):
        finder_named("zzz")
    with pytest.raises(UsageError, match="two files"):
        segmenter_named("onnx:one.onnx")
    with pytest.raises(SufficeError):
        segmenter_named("hf:./nowhere")


def test_the_grid_and_the_crops_cover_everything():
    assert grid(2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    covered = np.zeros((101, 67), int)
    found = list(crops(101, 67, 2, 512 / 1500))
    assert len(found) == 1 + 4 + 16
    for layer, box in found:
        if layer == 2:
            covered[box.y0 : box.y1, box.x0 : box.x1] += 1
    assert covered.min() == 1 and covered.max() == 4


def test_stability():
    logits = np.array([[-3, -0.5, 0.5, 3]], np.float32)
    assert stability(logits, 1.0) == pytest.approx(1 / 3)
    assert stability(np.full((2, 2), -5, np.float32), 1.0) == 0.0


def test_answers_as_data(mosaic):
    prompt = Prompt((ThingPrompt((Point(5, 5),), label="x"), ThingPrompt(box_xyxy=(10, 10, 20, 20))), ("tile",),
                    chosen=(1,))  # fmt: skip
    answer = api.predict(mosaic, prompt, Oracle(), Tiles(), steps=[parse_step("shrink=1")], all_candidates=True)
    assert answer["size_wh"] == [30, 20] and [each["label"] for each in answer["objects"]] == ["x", "", "tile"]
    assert all(each["area"] in (64, 72, 81) and len(each["candidates"]) == 1 for each in answer["objects"])
    boxes = api.find(mosaic, text_prompt("tile"), Tiles())["boxes"]
    assert boxes[1] == {"number": 1, "box_xyxy": [10, 0, 20, 10], "score": 0.8, "label": "tile", "asked": "tile"}
    with pytest.raises(UsageError, match="texts"):
        api.find(mosaic, prompt_without_words(), Tiles())
    shrunk = decode_rle(answer["objects"][0]["rle"])
    assert api.change(shrunk, [parse_step("grow=1")])["area"] > answer["objects"][0]["area"]
    assert {"default", "hf", "onnx"} <= set(api.models()["segmenters"])


def prompt_without_words():
    return box_prompt((0, 0, 5, 5))


def test_maps_as_data():
    semantic = SemanticMap(np.array([[0, 0], [1, 1]], np.int16), ("sky", "sea"))
    assert api.semantic(semantic)["areas"] == {"sky": 2, "sea": 2}
    assert api.category(semantic, "sea")["area"] == 2
    three = np.array([[1, 0], [1, 1]], bool)
    assert api.semantic(semantic, [three])["areas"] == {"sea": 3, "sky": 1}
    assert api.semantic(semantic, [three], majority_min=0.9)["areas"] == {"sky": 2, "sea": 2}
    assert api.category(semantic, "sea", masks=[three], steps=[parse_step("invert")])["area"] == 1


def test_trimaps_are_certain_away_from_the_edge():
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    sure = trimap(mask, 4)
    assert (sure[15:25, 15:25] == 255).all() and sure[0, 0] == 0 and sure[10, 20] == 128
    assert (sure == 255).sum() == 12 * 12
