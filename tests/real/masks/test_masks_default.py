"""The default segmenter and finder with their real weights, on the clip that ships and on scenes with known masks."""

from __future__ import annotations

import json
import os
import signal
from itertools import pairwise

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import suffice
from suffice.assets import asset_path
from suffice.cli.app import app
from suffice.errors import UsageError
from suffice.masks.ask import ask
from suffice.masks.batch import Request, mask_pictures
from suffice.masks.crew import Workshop
from suffice.masks.default.everything import mask_iou
from suffice.masks.default.finder import DefaultFinder
from suffice.masks.default.segmenter import DefaultSegmenter
from suffice.masks.embeddings import Embeddings
from suffice.masks.prompt import Point, Prompt, ThingPrompt, box_prompt, text_prompt
from suffice.media.decode_frames import decode_frames
from suffice.media.index_video import index_video
from suffice.media.mask_dilate import dilate
from suffice.media.mask_rle import decode_rle
from suffice.media.scan import expand
from suffice.models.nms import iou

CLIP = str(asset_path("pedestrians.mp4"))
RUNNER = CliRunner()


@pytest.fixture(scope="session")
def street():
    index = index_video(CLIP)
    return next(picture for _, picture in decode_frames(CLIP, [50], index))


@pytest.fixture(scope="session")
def scene():
    """A disk of cloth on a lawn, drawn with noise: colours overlap, the truth is known."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((160, 220))
    truth = (rows - 80) ** 2 + ((columns - 110) * 0.8) ** 2 <= 45**2
    truth &= ~((rows > 95) & (columns < 100))
    image = np.where(truth[..., None], [120, 70, 60], [70, 110, 60]) + rng.normal(0, 22, (160, 220, 3))
    return np.clip(image, 0, 255).astype(np.uint8), truth


def test_a_box_is_cut_better_than_it_is_filled(scene):
    image, truth = scene
    rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    filled = truth.sum() / ((box[2] - box[0]) * (box[3] - box[1]))
    for effort in ("full", "fast"):
        (thing,) = ask(image, box_prompt(box), DefaultSegmenter(effort))
        assert mask_iou(thing.mask, truth) > max(0.9, filled)
        assert len(thing.candidates) == 3 and 0 < thing.score <= 1
        x0, y0, x1, y1 = thing.box_xyxy
        assert box[0] <= x0 < x1 <= box[2] and box[1] <= y0 < y1 <= box[3]


def test_clicks_a_previous_mask_and_a_click_off(scene):
    image, truth = scene
    segmenter = DefaultSegmenter("fast")
    encoded = segmenter.encode(image)
    rough = dilate(truth, 7)
    clicked, off, refined = segmenter.segment(
        encoded,
        [
            ThingPrompt(points=(Point(120, 70),)),
            ThingPrompt(points=(Point(120, 70), Point(70, 120, False)), box_xyxy=(50, 30, 170, 130)),
            ThingPrompt(mask=rough),
        ],
    )
    assert mask_iou(clicked[0].mask, truth) > 0.8 and clicked[0].mask[70, 120]
    assert not off[0].mask[120, 70] and off[0].mask[70, 120]
    assert mask_iou(refined[0].mask, truth) > mask_iou(rough, truth) + 0.05


def test_it_gives_the_same_twice(scene):
    image, _ = scene
    (one,), (two,) = (ask(image, box_prompt((50, 30, 170, 130)), DefaultSegmenter("fast")) for _ in range(2))
    assert np.array_equal(one.mask, two.mask) and one.score == two.score


def test_boxes_that_are_hard(scene):
    image, _ = scene
    whole = (0.0, 0.0, 220.0, 160.0)
    for box in (whole, (110, 80, 111, 81), (10.2, 5.5, 12.9, 150.0), (-20, -20, 30, 30)):
        (thing,) = ask(image, box_prompt(box), DefaultSegmenter("fast"))
        assert thing.mask.any()


def test_words_find_people_on_the_street(street):
    found = ask(street, text_prompt("pedestrian"), DefaultSegmenter("fast"))
    assert len(found) >= 3 and {thing.label for thing in found} == {"person"}
    assert all(300 < thing.area < 8000 for thing in found)
    exact = DefaultFinder().find(street, text_prompt("person"))
    akin = DefaultFinder().find(street, text_prompt("woman"))
    assert akin[0].score == pytest.approx(0.8 * exact[0].score)
    assert akin[0].asked == "woman" and akin[0].label == "person"
    with pytest.raises(UsageError, match="zxqv"):
        DefaultFinder().find(street, text_prompt("zxqv"))


def test_everything_holds_the_people_once(street):
    segmenter = DefaultSegmenter("fast")
    found = segmenter.everything(segmenter.encode(street))
    people = ask(street, text_prompt("person"), segmenter)
    assert all(max(mask_iou(p.mask, each.mask) for each in found) > 0.7 for p in people)
    assert all(mask_iou(a.mask, b.mask) <= 0.6 for n, a in enumerate(found) for b in found[n + 1 :])


def test_a_folder_is_done_once_and_a_broken_file_stops_nothing(street, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    cut = street[150:400, 400:768]
    PIL.Image.fromarray(cut).save(folder / "a.png")
    PIL.Image.fromarray(cut[:, ::-1]).save(folder / "deep" / "a.png")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:5000])
    command = ["mask", str(folder), "--text", "person", "--model", "default:fast", "--out", str(out), "--json"]
    first = RUNNER.invoke(app, command)
    assert first.exit_code == 0, first.output
    answer = json.loads(first.stdout)
    assert {each["file"] for each in answer["objects"]} == {str(folder / "a.png"), str(folder / "deep" / "a.png")}
    assert len(answer["problems"]) == 1 and "broken.png" in answer["problems"][0]["problem"]
    for each in answer["objects"]:
        mask = np.array(PIL.Image.open(each["files"]["mask"])) > 0
        assert np.array_equal(mask, decode_rle(each["rle"])) and mask.sum() == each["area"]
        assert PIL.Image.open(each["files"]["cutout"]).mode == "RGBA"
        assert {"id", "label", "score", "box_xyxy", "area", "rle", "files"} <= each.keys()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    again = RUNNER.invoke(app, command)
    assert json.loads(again.stdout)["objects"] == answer["objects"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.*")} == before
    other = RUNNER.invoke(app, [*command, "--then", "grow=2", "--background"])
    assert json.loads(other.stdout)["objects"][0]["area"] != answer["objects"][0]["area"]


def test_many_processes_write_what_one_writes_and_one_that_is_killed_costs_its_picture_alone(street, tmp_path):
    cut = street[150:400, 400:768]
    for number in range(3):
        PIL.Image.fromarray(np.roll(cut, 40 * number, axis=1)).save(tmp_path / f"{number}.png")
    files, request = expand(str(tmp_path)), Request(text_prompt("person"))

    def by(segmenter, jobs):
        workshop, out = Workshop(segmenter, DefaultFinder(), Embeddings()), tmp_path / f"out {segmenter.name} {jobs}"
        answers = sorted(mask_pictures(files, request, workshop, out, jobs), key=lambda answer: answer.path)
        return [[o["rle"] for o in answer.objects] for answer in answers], [answer.problem for answer in answers]

    alone, _ = by(DefaultSegmenter("fast"), 1)
    assert any(alone) and by(DefaultSegmenter("fast"), 2) == (alone, [""] * 3)
    found, problems = by(DiesOfOne(np.roll(cut, 40, axis=1)), 2)
    assert "killed" in problems[1] and [p for p in problems if p] == [problems[1]]
    assert found == [alone[0], [], alone[2]]


class DiesOfOne(DefaultSegmenter):
    """Its process is killed, as by the machine for want of memory, when it sees one picture."""

    def __init__(self, image):
        super().__init__("fast")
        self.image, self.name = image, "dies"

    def encode(self, image):
        if np.array_equal(image, self.image):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(image)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--point", "1"], "--point"),
        (["--point", "1,2,x"], "+"),
        (["--box", "1,2,3"], "--box"),
        (["--box", "5,5,5,9"], "no area"),
        ([], "nothing is asked"),
        (["--text", "", "--box", "1,1,5,5"], "empty"),
        (["--everything", "--model", "nope"], "no segmenter"),
        (["--text", "person", "--then", "grow"], "grow=4"),
    ],
)
def test_wrong_usage_is_one_line(arguments, words, street, tmp_path):
    PIL.Image.fromarray(street[:60, :80]).save(tmp_path / "a.png")
    result = RUNNER.invoke(app, ["mask", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), *arguments])
    assert isinstance(result.exception, UsageError) and words in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_video_is_masked_and_numbered(tmp_path):
    command = ["mask", CLIP, "--text", "person", "--model", "default:fast", "--start", "5", "--end", "6", "--fps", "5"]
    result = RUNNER.invoke(app, [*command, "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    (video,) = answer["videos"]
    assert video["frames"] == 5 and len(index_video(video["file"])) == 5
    lines = [json.loads(line) for line in (tmp_path / "pedestrians_mp4_masks.jsonl").read_text().splitlines()]
    assert [line["frame_index"] for line in lines] == [50, 52, 54, 56, 58]
    ids = {each["id"] for line in lines for each in line["objects"]}
    assert ids == {each["id"] for each in answer["objects"]} and len(ids) >= 3
    longest = max(answer["objects"], key=lambda each: each["frames"])
    boxes = [each["box_xyxy"] for line in lines for each in line["objects"] if each["id"] == longest["id"]]
    assert len(boxes) >= 4 and all(abs(a[0] - b[0]) < 25 for a, b in pairwise(boxes))


def test_frames_where_people_cover_more_than_a_share():
    with suffice.connect(":memory:") as con:
        frames = f"frames('{CLIP}', fps => 0.5, start_s => 4, end_s => 10) f"
        fast = "model => 'default:fast'"
        shares = con.sql(f"SELECT f.frame_index, coverage(f.image, 'person', {fast}) AS c FROM {frames}").fetchall()
        assert len(shares) == 3 and all(0.005 < share < 0.1 for _, share in shares)
        middle = sorted(share for _, share in shares)[1]
        above = con.sql(
            f"SELECT f.frame_index FROM {frames} WHERE coverage(f.image, 'person', {fast}) > {middle} ORDER BY 1"
        )
        assert above.fetchall() == [(n,) for n, share in shares if share > middle]
        assert above.work.as_json()["model_calls"]["coverage"]["done"] == 0
        rows = con.sql(
            f"SELECT f.image, s.mask, s.area, mask_area(s.mask), mask_share(s.mask), cut(f.image, s.mask) AS c,"
            f" s.x0, s.x1 FROM {frames}, segment(f.image, 'person', {fast}) s ORDER BY s.area DESC LIMIT 2"
        ).fetchall()
        for image, mask, area, same, share, cut, x0, x1 in rows:
            whole, part = con.image(image), con.image(cut)
            truth = decode_rle(json.loads(mask))
            assert area == same == truth.sum() and share == pytest.approx(area / truth.size)
            assert part.shape[1] == x1 - x0
            assert ((part != 255).any(axis=-1)).sum() <= area
            assert (
                np.array_equal(np.unique(whole[truth], axis=0), np.unique(part[(part != 255).any(axis=-1)], axis=0))
                or (whole[truth] == 255).all(axis=-1).any()
            )
        nested = con.sql(f"SELECT classify('{rows[0][5]}') AS k, classify(crop('{rows[0][5]}', 0, 0, 20, 20)) AS l")
        assert all(nested.fetchall()[0])
        boxed = con.sql(
            f"SELECT s.area FROM {frames}, detect(f.image) d, segment(f.image, [d.x0, d.y0, d.x1, d.y1], {fast}) s"
            " WHERE d.label = 'person' LIMIT 2"
        )
        assert all(area > 0 for (area,) in boxed.fetchall())
        with pytest.raises(UsageError, match="min_score"):
            con.sql(f"SELECT coverage(f.image, 'person', minscore => 1) FROM {frames}")


def test_a_prompt_of_everything_and_a_word(scene):
    image, _ = scene
    found = ask(image, Prompt(everything=True), DefaultSegmenter("fast"))
    assert [thing.id for thing in found] == list(range(1, len(found) + 1)) and found


def test_people_are_found_in_a_picture_too_large_to_be_seen_as_one(street):
    wide = np.full((620, 6_000, 3), 90, np.uint8)
    wide[20:596, 4_100:4_868] = street
    near = DefaultFinder().find(street, Prompt(texts=("person",), box_score_min=0.7))
    found = ask(wide, text_prompt("person"), DefaultSegmenter("fast"))
    assert len(near) == 4 and all(thing.mask.shape == wide.shape[:2] for thing in found)
    moved = [np.add(each.box_xyxy, (4_100, 20, 4_100, 20)) for each in near]
    boxes = np.array([*moved, *(thing.box_xyxy for thing in found)], np.float32)
    assert (iou(boxes)[:4, 4:].max(axis=1) > 0.5).all()
