"""A training set is what its recipe says, the same every time."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest

from suffice.errors import UsageError
from suffice.masks.backend import Found
from suffice.masks.crew import Workshop
from suffice.masks.dataset.buckets import Bucket, bucket_for, buckets, fill
from suffice.masks.dataset.build import Recipe, build, sources_of
from suffice.masks.dataset.captions import captioner
from suffice.masks.dataset.duplicates import difference_hash, nearest_duplicate
from suffice.masks.dataset.quality import quality_of
from suffice.masks.embeddings import Embeddings
from suffice.masks.found import Candidate
from suffice.media.reference import Box


class RedFinder:
    name, version = "red", "1"

    def find(self, image, prompt):
        red = (image[..., 0] > 200) & (image[..., 1] < 60)
        if not red.any():
            return []
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        return [Found(box, 0.9, "red thing", "red")]


class RedSegmenter:
    name, version = "red", "1"

    def encode(self, image):
        return image

    def segment(self, encoded, things):
        return [(Candidate((encoded[..., 0] > 200) & (encoded[..., 1] < 60), 0.9),) for _ in things]

    def everything(self, encoded):
        return []


@pytest.fixture
def workshop():
    return Workshop(RedSegmenter(), RedFinder(), Embeddings())


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (height, width) in enumerate([(200, 300), (300, 200), (240, 240)]):
        image = np.random.default_rng(number).integers(70, 150, (height // 20, width // 20, 3), dtype=np.uint8)
        image = image.repeat(20, axis=0).repeat(20, axis=1)
        if number < 2:
            image[60:120, 40:100] = (230, 20, 20)
        PIL.Image.fromarray(image).save(folder / f"p{number}.png")
        (folder / f"p{number}.txt").write_text(f"caption {number}\n")
    with PIL.Image.open(folder / "p0.png") as twin:
        twin.resize((150, 100)).save(folder / "p9_twin.png")
    PIL.Image.new("RGB", (20, 20)).save(folder / "small.png")
    (folder / "broken.png").write_bytes((folder / "p1.png").read_bytes()[:200])
    return folder


def made(photos, workshop, out, **options):
    options = {"caption": captioner("file"), "base_px": 256, **options}
    recipe = Recipe(**options)
    answer = build(sources_of(str(path) for path in photos.glob("*.png")), recipe, workshop, out)
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    return answer, lines


def test_the_same_input_gives_the_same_set(photos, workshop, tmp_path):
    first, lines = made(photos, workshop, tmp_path / "a")
    second, _ = made(photos, workshop, tmp_path / "b")
    assert first.digest == second.digest and first.count == 3
    for name in ("manifest.jsonl", "manifest.json", "report.html", *(line["file"] for line in lines)):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    reasons = {each["source"]: each["reason"] for each in first.dropped}
    assert "nearly the same as p0.png" in reasons["p9_twin.png"] and "below" in reasons["small.png"]
    assert "broken.png" in reasons and len(reasons) == 3
    assert [line["caption"] for line in lines] == ["caption 0", "caption 1", "caption 2"]
    assert all((line["width"], line["height"]) in buckets(256) for line in lines)


def test_only_what_has_the_thing_cut_out(photos, workshop, tmp_path):
    answer, lines = made(
        photos, workshop, tmp_path / "a", thing="red", ground="white", shape="square",
        caption=captioner("a {label} from {folder}"),
    )  # fmt: skip
    assert answer.count == 2
    assert lines[0]["caption"] == "a red thing from photos"
    for line in lines:
        pixels = np.array(PIL.Image.open(tmp_path / "a" / line["file"]))
        assert pixels.shape == (256, 256, 3) and (pixels[0, -1] == 255).all()
        assert ((pixels[..., 0] > 200) & (pixels[..., 1] < 60)).mean() > 0.05


def test_transparent_things(photos, workshop, tmp_path):
    _, lines = made(
        photos, workshop, tmp_path / "a", thing="red", ground="transparent", shape="thing", padding_share=0.1
    )
    pixels = np.array(PIL.Image.open(tmp_path / "a" / lines[0]["file"]))
    assert pixels.shape == (72, 72, 4)
    assert (pixels[..., 3] == 255).sum() == 60 * 60


def test_recipes_that_contradict_themselves(photos, workshop, tmp_path):
    for options in ({"ground": "white"}, {"shape": "thing"}):
        with pytest.raises(UsageError, match="word"):
            made(photos, workshop, tmp_path / "a", **options)
    with pytest.raises(UsageError, match="label"):
        captioner("a {labl}")


def test_buckets():
    assert Bucket(512, 512) in buckets(512) and Bucket(704, 320) not in buckets(512, aspect_max=2)
    assert all(b.width % 64 == 0 and b.height % 64 == 0 and b.width * b.height <= 512 * 512 for b in buckets(512))
    assert bucket_for(1000, 1000, 512) == (512, 512)
    assert bucket_for(1600, 900, 512).width > bucket_for(1600, 900, 512).height


def test_a_fill_keeps_the_thing_and_never_stretches():
    image = np.zeros((100, 300, 3), np.uint8)
    image[40:60, 250:270] = 255
    pixels, box = fill(image, Bucket(64, 64), Box(250, 40, 270, 60))
    assert box == (200, 0, 300, 100) and pixels.shape == (64, 64, 3) and pixels.max() == 255


def test_twins_survive_size_and_light_but_others_do_not():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8).repeat(20, axis=0).repeat(20, axis=1)
    small = np.array(PIL.Image.fromarray(picture).resize((90, 90)))
    other = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8).repeat(20, axis=0).repeat(20, axis=1)
    kept = [difference_hash(picture)]
    assert nearest_duplicate(difference_hash(small), kept) == 0
    assert nearest_duplicate(difference_hash(np.uint8(picture * 0.8)), kept) == 0
    assert nearest_duplicate(difference_hash(other), kept) is None


def test_quality_names_what_is_wrong():
    flat = quality_of(np.full((40, 40, 3), 10, np.uint8), 2.0)
    assert flat.complaints == ["blurred", "dark", "flat", "enlarged"]
    noisy = quality_of(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8), 1.0)
    assert noisy.complaints == []
