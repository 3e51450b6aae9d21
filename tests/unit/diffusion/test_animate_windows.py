"""Windows keep their promises for any clip, not for the examples somebody thought of."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.diffusion.denoise import predict_windows
from suffice.diffusion.windows.blend import BLENDS, shares
from suffice.diffusion.windows.halving import halving
from suffice.diffusion.windows.plan import KINDS, LOOPS, Plan
from suffice.errors import UsageError

torch.set_num_threads(1)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    size = draw(st.integers(1, 24))
    return Plan(
        frames=draw(st.integers(1, 150)),
        size=size,
        overlap=draw(st.integers(0, size - 1)),
        stride=draw(st.integers(1, 5)),
        kind=draw(st.sampled_from(sorted(KINDS))),
        loop=draw(st.sampled_from(LOOPS)),
    )


@given(plans(), st.integers(0, 60))
@settings(max_examples=400, deadline=None)
def test_every_frame_is_covered_and_none_is_twice_in_a_window(plan: Plan, step: int) -> None:
    windows = plan.at(step)
    assert {frame for window in windows for frame in window} == set(range(plan.frames))
    assert all(len(set(window)) == len(window) <= max(plan.size, 1) for window in windows)


@given(plans(), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_no_window_goes_round_the_end_unless_a_loop_was_asked(plan: Plan, step: int) -> None:
    if plan.kind != "looped" and plan.loop == "N":
        assert all(list(window) == sorted(window) for window in plan.at(step))


@given(plans(), st.integers(0, 60), st.sampled_from(sorted(BLENDS)))
@settings(max_examples=300, deadline=None)
def test_shares_are_positive_and_add_up_to_one(plan: Plan, step: int, blend: str) -> None:
    windows = plan.at(step)
    total = torch.zeros(plan.frames, dtype=torch.float64)
    for window, share in zip(windows, shares(windows, plan.frames, blend), strict=True):
        assert bool((share > 0).all())
        total[list(window)] += share
    assert torch.allclose(total, torch.ones_like(total))


@given(st.integers(17, 120), st.integers(2, 16), st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_a_closed_loop_brings_every_pair_of_neighbours_together(frames: int, size: int, step: int) -> None:
    windows = Plan(frames, size, overlap=1, loop="A").at(step)
    pairs = {(a, b) for window in windows for a, b in pairwise(window)}
    assert {(frame, (frame + 1) % frames) for frame in range(frames)} <= pairs


@given(plans(), st.integers(0, 60))
@settings(max_examples=300, deadline=None)
def test_the_seam_of_a_loop_is_torn_at_no_step(plan: Plan, step: int) -> None:
    """The last frame and the first are neighbours in a window, far from its ends where the clip is longer than it."""
    if plan.loop == "N" or plan.frames < 2 or plan.size < 2:
        return
    after = [(window.index(0), window) for window in plan.at(step) if 0 in window[1:]]
    places = [place for place, window in after if window[place - 1] == plan.frames - 1]
    assert places
    if plan.frames > plan.size and plan.loop == "A":
        near = min(abs(place - plan.size / 2) for place in places)
        assert near <= (plan.size - plan.overlap) / 2


@given(plans(), st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_a_reduced_loop_costs_no_more_windows_than_no_loop(plan: Plan, step: int) -> None:
    plain, reduced = (Plan(plan.frames, plan.size, plan.overlap, 1, "static", loop) for loop in ("N", "R+P"))
    assert len(reduced.at(step)) == len(plain.at(step))


def test_the_case_in_which_the_original_leaves_frames_out() -> None:
    assert {frame for window in Plan(26, 16, 4).at(8) for frame in window} == set(range(26))


def test_a_short_clip_in_a_loop_is_turned_not_lengthened() -> None:
    plan = Plan(10, 16, 4, loop="A")
    seen = {window for step in range(8) for window in plan.at(step)}
    assert len(seen) > 4 and all(sorted(window) == list(range(10)) for window in seen)


def test_halving_visits_the_middles_first() -> None:
    assert [halving(step) for step in range(8)] == [0, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875]


def _by_frame(latents: torch.Tensor, t: torch.Tensor, progress: float, window: tuple[int, ...]) -> torch.Tensor:
    return latents * 3 + torch.tensor(window, dtype=latents.dtype)[None, None, :, None, None]


@given(plans(), st.integers(0, 20), st.sampled_from(sorted(BLENDS)))
@settings(max_examples=100, deadline=None)
def test_frames_that_do_not_look_at_each_other_come_out_the_same_in_any_windows(
    plan: Plan, step: int, blend: str
) -> None:
    latents = torch.randn(1, 2, plan.frames, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = _by_frame(latents, torch.tensor(0), 0.0, tuple(range(plan.frames)))
    windowed = predict_windows(latents, torch.tensor(0), 0.0, plan.at(step), _by_frame, blend)
    assert torch.allclose(whole, windowed, rtol=0, atol=1e-12)


def test_one_window_is_no_windows_bit_for_bit() -> None:
    latents = torch.randn(1, 2, 16, 3, 3)
    asked = []

    def predict(latents: torch.Tensor, t: torch.Tensor, progress: float, window: tuple[int, ...]) -> torch.Tensor:
        asked.append(window)
        return latents.cumsum(2)

    for blend in BLENDS:
        found = predict_windows(latents, torch.tensor(0), 0.0, Plan(16, 16, 4).at(3), predict, blend)
        assert torch.equal(found, latents.cumsum(2))
    assert asked == [tuple(range(16))] * len(BLENDS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "unifrom"}, "did you mean 'uniform'"),
        ({"loop": "Z"}, "N, R-P, R.P or A"),
        ({"overlap": 16}, "does not fit a window of 16"),
        ({"stride": 0}, "stride must be at least 1"),
    ],
)
def test_wrong_plans_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Plan(32, **wrong)  # type: ignore[arg-type]


def test_an_unknown_blend_has_a_nearest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'pyramid'"):
        shares([(0,)], 1, "pyramids")
