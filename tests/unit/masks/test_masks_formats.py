"""What is written is read back: COCO and VOC to the bit, YOLO to the pixel."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from suffice.errors import MediaError
from suffice.masks.formats.annotated import AnnotatedPicture, Labelled
from suffice.masks.formats.coco import read_coco, write_coco
from suffice.masks.formats.polygons import fill_polygons, outlines
from suffice.masks.formats.voc import read_voc, write_voc
from suffice.masks.formats.yolo import read_yolo, write_yolo

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14))


@settings(max_examples=200, deadline=None)
@given(masks)
def test_outlines_fill_back(mask):
    loops = outlines(mask)
    assert np.array_equal(fill_polygons(loops, mask.shape), mask)
    assert all(len(loop) >= 4 for loop in loops)


def test_a_ring_has_two_outlines():
    ring = np.ones((5, 5), bool)
    ring[2, 2] = False
    assert sorted(map(len, outlines(ring))) == [4, 4]


def test_polygons_by_brute_force():
    triangle = [(1.2, 0.3), (8.7, 4.1), (2.5, 7.9)]
    filled = fill_polygons([triangle], (9, 10))
    for y in range(9):
        for x in range(10):
            crossings = 0
            for (x0, y0), (x1, y1) in zip(triangle, triangle[1:] + triangle[:1], strict=True):
                if (y0 > y + 0.5) != (y1 > y + 0.5):
                    crossings += x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0) < x + 0.5
            assert filled[y, x] == (crossings % 2 == 1), (x, y)


def pictures(*drawn):
    return [
        AnnotatedPicture(f"p{n}.png", mask.shape[1], mask.shape[0], (Labelled("cat", mask), Labelled("a dog", ~mask)))
        for n, mask in enumerate(drawn)
    ]


def a_mask(seed=0, height=23, width=31):
    return np.random.default_rng(seed).random((height, width)) > 0.6


def assert_same(ours, theirs):
    assert [(p.file_name, p.width, p.height) for p in ours] == [(p.file_name, p.width, p.height) for p in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert [t.label for t in a.things] == [t.label for t in b.things]
        assert all(np.array_equal(s.mask, t.mask) for s, t in zip(a.things, b.things, strict=True))


def test_coco_round_trip(tmp_path):
    given_ = pictures(a_mask(1), a_mask(2, 8, 40))
    write_coco(given_, tmp_path / "c.json")
    assert_same(given_, read_coco(tmp_path / "c.json"))
    first = (tmp_path / "c.json").read_bytes()
    write_coco(given_, tmp_path / "c.json")
    assert (tmp_path / "c.json").read_bytes() == first


def test_coco_polygons_and_its_own_box(tmp_path):
    square = {"image_id": 1, "category_id": 3, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}
    (tmp_path / "c.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "x.jpg", "width": 6, "height": 5}],
                "categories": [{"id": 3, "name": "box"}],
                "annotations": [square],
            }
        )
    )
    ((thing,),) = [p.things for p in read_coco(tmp_path / "c.json")]
    assert thing.mask.sum() == 6 and thing.mask[1:3, 1:4].all()


def test_yolo_round_trip(tmp_path):
    import PIL.Image

    given_ = pictures(a_mask(3), a_mask(4, 8, 40))
    paths = []
    for picture in given_:
        paths.append(tmp_path / picture.file_name)
        PIL.Image.new("RGB", (picture.width, picture.height)).save(paths[-1])
    write_yolo(given_, tmp_path)
    assert_same(given_, read_yolo(tmp_path, paths))


def test_voc_round_trip(tmp_path):
    given_ = pictures(a_mask(5), a_mask(6, 8, 40))
    write_voc(given_, tmp_path)
    assert_same(given_, read_voc(tmp_path))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_big_blobs_come_back_through_yolo_numbers(seed):
    from scipy import ndimage

    mask = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(97, 131)), 4) > 0.02
    shares = [[(x / 131, y / 97) for x, y in loop] for loop in outlines(mask)]
    back = [[(float(f"{x:.7f}") * 131, float(f"{y:.7f}") * 97) for x, y in loop] for loop in shares]
    assert np.array_equal(fill_polygons(back, mask.shape), mask)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"images": [{"id": 1}], "categories": [], "annotations": []}'])
def test_broken_coco_is_one_line(tmp_path, content):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(MediaError, match=r"c\.json"):
        read_coco(tmp_path / "c.json")


def test_broken_yolo_and_voc_name_the_place(tmp_path):
    import PIL.Image

    PIL.Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(MediaError, match=r"classes\.txt"):
        read_yolo(tmp_path, [tmp_path / "a.png"])
    (tmp_path / "classes.txt").write_text("cat\n")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.1 0.1 0.5 0.5 0.1 x\n")
    with pytest.raises(MediaError, match="line 1"):
        read_yolo(tmp_path, [tmp_path / "a.png"])
    with pytest.raises(MediaError, match="Annotations"):
        read_voc(tmp_path)
