"""The timeline: what its text means, and what lies between its keys."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from suffice.diffusion.timeline.mix import lerp, slerp
from suffice.diffusion.timeline.parse import parse_timeline
from suffice.diffusion.timeline.track import Track, numbers_at
from suffice.errors import UsageError

torch.set_num_threads(1)


def test_the_originals_syntax_reads_as_it_is() -> None:
    line = parse_timeline("best quality\n1girl\n0: closed mouth\n8: open mouth\nsmile\nsunset", 16)
    assert line.prompts == Track(
        (0, 8), ("best quality, 1girl, closed mouth, smile, sunset", "best quality, 1girl, open mouth, smile, sunset")
    )


def test_a_plain_prompt_is_one_key() -> None:
    assert parse_timeline("a cat, 4k", 16).prompts == Track((0,), ("a cat, 4k",))


def test_all_that_may_change_is_in_one_text() -> None:
    line = parse_timeline(
        """
        # a comment
        0: a
        50%: b
        negative: blurry
        negative 8: dark
        travel: lerp closed
        control canny: 0: 1, 12: 0.25
        lora pan_left: 0.5
        guidance: 0: 7, 15: 4
        seed: 0: 7, 8: 9
        image: 0: first.png, 15: b.png
        """,
        17,
    )
    assert line.prompts == Track((0, 8), ("a", "b"))
    assert line.negatives == Track((0, 8), ("blurry", "dark"))
    assert (line.travel, line.closed) == ("lerp", True)
    assert line.controls == {"canny": Track((0, 12), (1.0, 0.25))}
    assert line.loras == {"pan_left": Track((0,), (0.5,))}
    assert line.guidance == Track((0, 15), (7.0, 4.0))
    assert line.seeds == Track((0, 8), (7, 9))
    assert line.images == Track((0, 15), ("first.png", "b.png"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0: a\n16: b", "key at frame 16, but the clip ends at frame 15"),
        ("0: a\n0: b", "frame 0 twice"),
        ("a\ntravel: slurp", "did you mean 'slerp'"),
        ("a\ncontrol canny: 0: strong", "canny.*strong"),
        ("a\ncontrol: 0: 1", "without a name"),
        ("a\nseed: 99: 1", "key at frame 99"),
    ],
)
def test_what_cannot_be_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_timeline(text, 16)


def test_open_tracks_hold_their_ends_and_closed_ones_go_round() -> None:
    track = Track((4, 12), (0.0, 8.0))
    assert numbers_at(track, [0, 4, 8, 12, 15], 16, closed=False, hold=False) == [0, 0, 4, 8, 8]
    assert numbers_at(track, [12, 14, 0, 2, 4], 16, closed=True, hold=False) == [8, 6, 4, 2, 0]
    assert numbers_at(track, [0, 11, 12], 16, closed=False, hold=True) == [0, 0, 8]
    assert numbers_at(Track((3,), (5.0,)), [0, 9], 16, closed=True, hold=False) == [5, 5]


@given(st.lists(st.integers(0, 39), min_size=1, max_size=6, unique=True), st.booleans(), st.integers(0, 39))
def test_between_is_always_a_share_of_two_keys(keys: list[int], closed: bool, frame: int) -> None:
    track = Track(tuple(sorted(keys)), tuple(map(float, range(len(keys)))))
    place = track.between(frame, 40, closed=closed)
    assert 0 <= place.share < 1
    assert frame not in keys or (track.frames[place.before] == frame and place.share == 0)


@given(st.floats(0, 1))
def test_slerp_keeps_the_length_of_equally_long_vectors(share: float) -> None:
    a, b = torch.tensor([[3.0, 0], [0, 0]]), torch.tensor([[0, 0], [0, 3.0]])
    assert math.isclose(float(slerp(a, b, share).norm()), 3, rel_tol=1e-5)


def test_the_ends_come_out_bit_for_bit() -> None:
    a, b = torch.randn(7, 5), torch.randn(7, 5)
    for between in (lerp, slerp):
        assert between(a, b, 0) is a and between(a, b, 1) is b


def test_nearly_parallel_vectors_go_straight() -> None:
    a = torch.randn(50)
    assert torch.equal(slerp(a, a * 1.0001, 0.3), lerp(a, a * 1.0001, 0.3))
