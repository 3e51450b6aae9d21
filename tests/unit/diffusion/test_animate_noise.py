"""Noise: FreeNoise, FreeInit, seeds."""

from __future__ import annotations

import pytest
import torch

from suffice.diffusion.noise.draw import draw_noise
from suffice.diffusion.noise.freeinit import FILTERS, FreeInit, low_pass, mix_frequencies
from suffice.diffusion.start import fade, fade_in_latents
from suffice.diffusion.timeline.track import Track
from suffice.errors import UsageError

SHAPE = (1, 2, 40, 2, 3)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_freenoise_blocks_are_those_a_window_before_in_another_order() -> None:
    noise = draw_noise(SHAPE, _seeded(), kind="freenoise", context=16, stride=4)
    plain = draw_noise(SHAPE, _seeded())
    assert torch.equal(noise[:, :, :16], plain[:, :, :16])
    for start in range(16, 40, 4):
        block = {frame.numpy().tobytes() for frame in noise[0, :, start : start + 4].unbind(1)}
        before = {frame.numpy().tobytes() for frame in noise[0, :, start - 16 : start - 12].unbind(1)}
        assert block == before
    assert not torch.equal(noise[:, :, 16:32], noise[:, :, :16])


def test_repeated_noise_repeats() -> None:
    noise = draw_noise(SHAPE, _seeded(), kind="repeat", context=16)
    assert torch.equal(noise[:, :, 16:32], noise[:, :, :16]) and torch.equal(noise[:, :, 32:], noise[:, :, :8])


def test_seeds_by_frame() -> None:
    noise = draw_noise(SHAPE, _seeded(), seeds=Track((0, 10), (7, 9)))
    other = draw_noise(SHAPE, _seeded(1), seeds=Track((0, 10), (7, 8)))
    assert torch.equal(noise[:, :, :10], other[:, :, :10]) and not torch.equal(noise[:, :, 10:], other[:, :, 10:])


def test_noise_is_the_same_on_any_number_of_threads() -> None:
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(draw_noise((1, 4, 64, 16, 16), _seeded(5)))
    torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize("name", ["butterworth", "gaussian", "ideal"])
@pytest.mark.parametrize("stops", [(0.25, 0.25), (0.4, 0.2)])
def test_the_filter_is_diffusers_without_its_loops(name: str, stops: tuple[float, float]) -> None:
    from diffusers.pipelines.free_init_utils import FreeInitMixin

    shape = (5, 6, 7)
    theirs = FreeInitMixin()._get_free_init_freq_filter((1, 1, *shape), "cpu", name, 4, *stops)
    ours = low_pass(shape, FreeInit(3, name, *stops))
    assert torch.allclose(ours, theirs[0, 0], atol=1e-6)


@pytest.mark.parametrize("name", FILTERS)
def test_mixing_keeps_what_passes_and_takes_the_rest(name: str) -> None:
    slow, fast = (torch.randn(1, 2, 8, 8, 8, generator=_seeded(seed)) for seed in (1, 2))
    kept = low_pass((8, 8, 8), FreeInit(3, name))
    assert 0 < float(kept.mean()) < 1
    mixed = mix_frequencies(slow, fast, kept)
    assert torch.allclose(mix_frequencies(mixed, mixed, kept), mixed, atol=1e-5)
    assert torch.allclose(mixed.mean((2, 3, 4)), slow.mean((2, 3, 4)), atol=1e-4)  # the lowest frequency passes all
    assert torch.allclose(mix_frequencies(slow, slow, kept), slow, atol=1e-5)


def test_unknown_names_have_a_nearest_one() -> None:
    with pytest.raises(UsageError, match="'freenoise'"):
        draw_noise(SHAPE, _seeded(), kind="freenois")
    with pytest.raises(UsageError, match="'gaussian'"):
        FreeInit(3, "gausian")


def test_a_first_picture_fades() -> None:
    assert fade(4, 1, 2) == [1, 0.5, 0, 0]
    assert fade(3, 2, 4) == [1, 0.75, 0]


def test_between_two_pictures_the_ends_are_the_pictures() -> None:
    first, last = torch.full((1, 1, 1, 1, 1), 3.0), torch.full((1, 1, 1, 1, 1), -3.0)
    noise = torch.randn(1, 1, 6, 1, 1)
    for scale in (3.0, 50.0):
        mixed = fade_in_latents(first, last, noise, 1, scale).flatten()
        assert mixed[0] == 3 and mixed[-1] == -3
    assert torch.equal(fade_in_latents(None, None, noise, 1, 3), noise)
