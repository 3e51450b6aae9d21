"""A mask is a step of an image reference, whatever its characters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.errors import MediaError
from suffice.media.load import crop
from suffice.media.mask_rle import encode_rle
from suffice.media.reference import Box, MaskCut, Reference, is_reference, parse_reference

HASH = "0123456789abcdef" * 2
numbers = st.integers(0, 999)
boxes = st.builds(Box, numbers, numbers, numbers, numbers)
cuts = st.builds(MaskCut, numbers, numbers, st.text([chr(code) for code in range(48, 112)], max_size=12))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(boxes, cuts), max_size=4))
def test_references_come_back(steps):
    reference = Reference("vid", HASH, 7, tuple(steps))
    assert is_reference(str(reference))
    assert parse_reference(str(reference)) == reference


def test_a_cut_is_white_around_the_thing_and_cropped_to_it():
    picture = np.random.default_rng(0).integers(0, 250, (8, 9, 3), dtype=np.uint8)
    mask = np.zeros((8, 9), bool)
    mask[2:5, 3:6] = True
    mask[2, 3] = False
    cut = MaskCut(8, 9, encode_rle(mask)["counts"])
    found = crop(picture, [cut])
    assert found.shape == (3, 3, 3) and (found[0, 0] == 255).all()
    assert np.array_equal(found[1:], picture[3:5, 3:6])
    assert np.array_equal(crop(picture, [cut, Box(1, 1, 3, 3)]), picture[3:5, 4:6])
    with pytest.raises(MediaError, match="fit"):
        crop(picture[:5], [cut])
    with pytest.raises(MediaError, match="nothing"):
        crop(picture, [MaskCut(8, 9, encode_rle(np.zeros((8, 9), bool))["counts"])])
