"""A closed clip: its seam is no more of a step than half of the others, whatever the model says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from suffice.diffusion.animator import Animator
from suffice.diffusion.seam import begun_at_rest, drawn_together
from suffice.diffusion.settings import Settings
from suffice.diffusion.timeline.parse import parse_timeline
from suffice.media.image import Image

torch.set_num_threads(1)

FREE = Settings(timeline="a red circle moving right on a black background", frames=6, steps=2, context=6, guidance=3)
TIED = replace(FREE, timeline="0: a red circle growing on a black background\n3: a blue square on a black background")


def decode(latents: torch.Tensor) -> Iterator[Image]:
    """Not linear, as no decoder is."""
    yield from (((latents[0].transpose(0, 1).tanh() / 2 + 0.5) * 255).byte().permute(0, 2, 3, 1).numpy())


def steps_of(frames: list[Image]) -> list[float]:
    """How much each frame differs from the one before, the first from the last."""
    levels = [frame.astype(float) for frame in frames]
    return [float(np.abs(b - a).mean()) for a, b in zip([levels[-1], *levels], levels, strict=False)]


@st.composite
def clips(draw: st.DrawFn) -> torch.Tensor:
    """A walk that seldom ends where it began."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    moves = torch.randn(1, 3, draw(st.integers(3, 12)), 4, 4, generator=generator)
    return (moves * draw(st.sampled_from((0.0, 0.1, 1.0)))).cumsum(2)


@given(clips())
@settings(max_examples=100, deadline=None)
def test_frames_in_their_places_meet_within_the_median(latents: torch.Tensor) -> None:
    closed = drawn_together(latents, decode)
    seam, *others = steps_of(list(decode(closed)))
    assert seam <= median(others)
    assert torch.equal(closed[:, :, 1:-1], latents[:, :, 1:-1])
    seam, *others = steps_of(list(decode(latents)))
    assert torch.equal(closed, latents) == (seam <= median(others))


@given(clips())
@settings(max_examples=50, deadline=None)
def test_a_free_clip_begins_where_it_rests(latents: torch.Tensor) -> None:
    turned = begun_at_rest(latents, decode)
    seam, *others = steps_of(list(decode(turned)))
    assert seam <= min(others)
    assert any(torch.equal(turned, latents.roll(k, 2)) for k in range(latents.shape[2]))


@pytest.fixture(scope="module")
def animator() -> Animator:
    return Animator("pocket", device="cpu")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("asked", "loop"), [(FREE, "A"), (FREE, "R-P"), (TIED, "A"), (TIED, "R+P")])
@pytest.mark.parametrize("context", [6, 4])
def test_the_seam_of_a_loop_is_within_the_median(
    animator: Animator, asked: Settings, loop: str, seed: int, context: int
) -> None:
    frames = list(animator.animate(replace(asked, loop=loop, seed=seed, context=context)).frames)
    seam, *others = steps_of(frames)
    assert seam <= median(others)


def test_without_a_loop_nothing_is_closed_or_turned(animator: Animator) -> None:
    """The same latents as a hand-made run: the clip of one window is what diffusers' pipeline makes (bench `same`)."""
    seam, *others = steps_of(list(animator.animate(replace(FREE, seed=2)).frames))
    assert seam > 2 * median(others)


def test_what_ties_a_clip_to_its_frames() -> None:
    assert parse_timeline("a\nnegative: b\nguidance: 3", 8).is_constant
    for text in ("0: a\n4: b", "a\nnegative 0: b\nnegative 4: c", "a\nguidance: 0: 3, 4: 5", "a\nlora x: 0: 0, 7: 1"):
        assert not parse_timeline(text, 8).is_constant
