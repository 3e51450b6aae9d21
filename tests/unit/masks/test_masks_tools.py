"""The tools on files: masks in, masks out, nothing lost on the way."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from suffice.cli.app import app
from suffice.errors import MediaError
from suffice.masks.batch import Request, fingerprint
from suffice.masks.formats.coco import read_coco
from suffice.masks.found import Candidate, FoundThing
from suffice.masks.picture_files import Wanted, save_json, write_picture
from suffice.masks.prompt import Prompt
from suffice.media.mask_layers import join_layers

RUNNER = CliRunner()


def told(*arguments):
    result = RUNNER.invoke(app, ["masks", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


@pytest.fixture
def files(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    left, right = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    left[5:20, 3:25] = True
    right[10:28, 15:38] = True
    PIL.Image.fromarray(image).save(tmp_path / "i.png")
    for name, mask in {"a": left, "b": right}.items():
        PIL.Image.fromarray(mask).save(tmp_path / f"{name}.png")
    return tmp_path, image, left, right


def read(path):
    return np.array(PIL.Image.open(path)) > 0


def test_change_and_combine(files):
    folder, _, left, right = files
    answer = told("change", folder / "a.png", "--then", "shrink=1", "--then", "invert", "--out", folder / "c.png")
    assert answer["area"] == read(folder / "c.png").sum() == left.size - 13 * 20
    for how, expected in {"union": left | right, "intersect": left & right, "subtract": left & ~right}.items():
        told("combine", folder / "a.png", folder / "b.png", "--how", how, "--out", folder / "d.png")
        assert np.array_equal(read(folder / "d.png"), expected)


def test_layers_are_the_picture(files):
    folder, image, _, _ = files
    answer = told("layers", folder / "i.png", folder / "a.png", folder / "b.png", "--out", folder / "layers")
    parts = [np.array(PIL.Image.open(path)) for path in answer["files"]]
    assert len(parts) == 3 and np.array_equal(join_layers(parts), image)


def test_answers_go_through_every_format_and_come_back(files):
    folder, image, left, right = files
    right = right & ~left
    things = [FoundThing(1, "cat", (Candidate(left, 0.9),)), FoundThing(2, "", (Candidate(right, 0.8),))]
    objects = write_picture(image, things, folder / "out", "i", Wanted(candidates=3))
    assert all(np.array_equal(read(o["files"]["mask"]), t.mask) for o, t in zip(objects, things, strict=True))
    assert np.array_equal(read(objects[0]["files"]["mask_0"]), left)
    cut = np.array(PIL.Image.open(objects[0]["files"]["cutout"]))
    assert np.array_equal(cut[..., :3], image[5:20, 3:25]) and (cut[..., 3] == 255).all()
    save_json(folder / "out" / "i.masks.json", {"path": "/x/i.png", "size_wh": [40, 30], "objects": objects})
    told("convert", folder / "out", "--to", "voc", "--out", folder / "voc")
    told("convert", folder / "voc", "--to", "yolo", "--out", folder / "yolo")
    (folder / "pictures").mkdir()
    PIL.Image.fromarray(image).save(folder / "pictures" / "i.png")
    answer = told(
        "convert", folder / "yolo", "--images", folder / "pictures", "--to", "coco", "--out", folder / "c.json"
    )
    assert (answer["pictures"], answer["things"]) == (1, 2)
    (picture,) = read_coco(folder / "c.json")
    assert [thing.label for thing in picture.things] == ["cat", "thing"]
    assert np.array_equal(picture.things[0].mask, left) and np.array_equal(picture.things[1].mask, right)


def test_what_is_no_set_is_named(tmp_path):
    result = RUNNER.invoke(app, ["masks", "convert", str(tmp_path), "--to", "coco", "--out", str(tmp_path / "c.json")])
    assert isinstance(result.exception, MediaError) and "masks.json" in str(result.exception)


def test_a_fingerprint_tells_requests_apart():
    asked = [
        Request(Prompt(texts=("cat",))),
        Request(Prompt(texts=("cat",), box_score_min=0.5)),
        Request(Prompt(texts=("dog",))),
        Request(Prompt(texts=("cat",)), wanted=Wanted(padding_px=3)),
    ]
    keys = [fingerprint("h", each, "m 1") for each in asked] + [
        fingerprint("h", asked[0], "m 2"),
        fingerprint("g", asked[0], "m 1"),
    ]
    assert len(set(keys)) == len(keys) and keys[0] == fingerprint("h", Request(Prompt(texts=("cat",))), "m 1")
