"""Masks: what goes in comes out, radii are exact, and brute force agrees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from suffice.errors import MediaError, UsageError
from suffice.media.mask_crop import cut_out, inside, mask_box, paste
from suffice.media.mask_dilate import dilate, erode
from suffice.media.mask_draw import draw_masks
from suffice.media.mask_feather import feather
from suffice.media.mask_layers import join_layers, split_layers
from suffice.media.mask_rle import decode_rle, encode_rle, rle_area
from suffice.media.mask_tidy import drop_islands, fill_holes, largest_island

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24))


@settings(deadline=None)
@given(masks)
def test_rle_comes_back(mask):
    rle = encode_rle(mask)
    assert np.array_equal(decode_rle(rle), mask)
    assert rle_area(rle) == mask.sum()


def test_rle_is_cocos():
    # Runs down the columns: 1 off, 2 on, 1 off / counts [1, 2, 1] and [0, 4]; characters are 48 + the run.
    assert encode_rle(np.array([[0, 0], [1, 0], [1, 0]], bool)) == {"size": [3, 2], "counts": "123"}
    assert encode_rle(np.ones((2, 2), bool)) == {"size": [2, 2], "counts": "04"}
    assert decode_rle({"size": [2, 2], "counts": [1, 3]}).tolist() == [[False, True], [True, True]]


def test_rle_of_long_runs():
    mask = np.zeros((2160, 384), bool)
    mask[100:2000, 3:300] = True
    assert np.array_equal(decode_rle(encode_rle(mask)), mask)


@pytest.mark.parametrize(
    "rle", [{}, {"size": [2, 2], "counts": "1"}, {"size": [2, 2], "counts": "P"}, {"size": [2], "counts": []}]
)
def test_broken_rle_is_refused(rle):
    with pytest.raises(MediaError):
        decode_rle(rle)


@pytest.mark.parametrize("radius", [0, 1, 1.5, 2, 7, 10, 20.3])
def test_a_dot_grows_by_exactly_the_radius(radius):
    dot = np.zeros((51, 61), bool)
    dot[25, 30] = True
    rows, columns = np.indices(dot.shape)
    assert np.array_equal(dilate(dot, radius), (rows - 25) ** 2 + (columns - 30) ** 2 <= radius**2)


@settings(max_examples=60, deadline=None)
@given(masks, st.floats(0, 9))
def test_dilate_is_brute_force(mask, radius):
    rows, columns = np.indices(mask.shape)
    expected = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        expected |= (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    assert np.array_equal(dilate(mask, radius), expected)
    assert np.array_equal(erode(~mask, radius), ~expected)


def test_a_negative_radius_is_refused():
    with pytest.raises(UsageError, match="-1"):
        dilate(np.ones((2, 2), bool), -1)


@pytest.mark.parametrize("radius", [1, 3, 8, 2.5])
def test_feather_changes_nothing_beyond_its_radius(radius):
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    alpha = feather(mask, radius)
    reach = int(np.ceil(radius)) + 1
    square = np.pad(mask, 0)
    square[20 - reach : 40 + reach, 20 - reach : 40 + reach] = True
    assert not alpha[~square].any()
    assert (alpha[20 + reach : 40 - reach, 20 + reach : 40 - reach] == 255).all()
    assert ((alpha > 0) & (alpha < 255)).any()


def test_holes_and_islands():
    mask = np.zeros((12, 12), bool)
    mask[1:8, 1:8] = True
    mask[3, 3] = mask[5, 5:7] = False
    mask[10, 10] = True
    assert fill_holes(mask)[1:8, 1:8].all()
    assert not fill_holes(mask)[9, 9]
    assert fill_holes(mask, 1)[3, 3]
    assert not fill_holes(mask, 1)[5, 5]
    assert not drop_islands(mask, 2)[10, 10]
    assert drop_islands(mask, 1)[10, 10]
    assert np.array_equal(largest_island(mask), drop_islands(mask, 2))
    assert not largest_island(np.zeros((3, 3), bool)).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_cut_and_paste_and_layers_are_bit_exact(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (17, 23, 3), dtype=np.uint8)
    parts = rng.random((3, 17, 23)) < 0.4
    assert np.array_equal(join_layers(split_layers(image, list(parts))), image)
    box = mask_box(parts[0], 2)
    layer = cut_out(image, parts[0], box)
    assert np.array_equal(paste(image, layer, box), image)
    layer[:, :, :3] = 7
    pasted = paste(image, layer, box)
    assert np.array_equal(pasted[~parts[0]], image[~parts[0]])
    assert (pasted[parts[0]] == 7).all()


def test_layers_that_overlap_are_refused():
    layers = split_layers(np.zeros((2, 2, 3), np.uint8), [np.ones((2, 2), bool)])
    with pytest.raises(MediaError):
        join_layers([layers[0], layers[0]])


def test_boxes():
    mask = np.zeros((10, 20), bool)
    mask[3:5, 6:9] = True
    assert mask_box(mask) == (6, 3, 9, 5)
    assert mask_box(mask, 5) == (1, 0, 14, 10)
    assert inside((-3, 1.2, 5.5, 99), 20, 10) == (0, 1, 6, 10)
    with pytest.raises(MediaError, match="20 x 10"):
        inside((30, 0, 40, 5), 20, 10)
    with pytest.raises(MediaError, match="empty"):
        mask_box(np.zeros((2, 2), bool))


def test_a_drawn_mask_leaves_the_rest_alone():
    image = np.full((80, 120, 3), 90, np.uint8)
    mask = np.zeros((80, 120), bool)
    mask[40:70, 30:80] = True
    drawn = draw_masks(image, [mask], ["1 dog"])
    assert (drawn[mask] != 90).any(axis=1).all()
    assert (drawn[71:] == 90).all()
    assert (image == 90).all()
