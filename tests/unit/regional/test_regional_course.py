"""A request from prompt to latents: the solvers, the skip rules, the fill-in, the regions."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_diffusion import tiny_checkpoint  # noqa: E402

from suffice.errors import UsageError  # noqa: E402
from suffice.regional.course import StepPlan  # noqa: E402
from suffice.regional.denoiser import opened  # noqa: E402
from suffice.regional.fill.first_order import first_order  # noqa: E402
from suffice.regional.fill.history import History  # noqa: E402
from suffice.regional.local import LocalEngine  # noqa: E402
from suffice.regional.model import Model, load  # noqa: E402
from suffice.regional.regions import cut_regions, share_out  # noqa: E402
from suffice.regional.settings import SOLVERS, RequestSettings, SkipSettings, parse_skip  # noqa: E402
from suffice.regional.skip.auto import auto  # noqa: E402
from suffice.regional.skip.budget import budget  # noqa: E402
from suffice.regional.skip.spread import spread  # noqa: E402
from suffice.regional.skip.standing import Standing, score  # noqa: E402
from suffice.regional.subject import otsu_threshold  # noqa: E402
from suffice.regional.tiles import TileGrid  # noqa: E402

ASKED = RequestSettings("a red bus", steps=8, height=32, width=32, seed=3)


@pytest.fixture(scope="module")
def model() -> Model:
    return load(str(tiny_checkpoint()))


def finished(model: Model, asked: RequestSettings, **more: Any) -> Any:
    course = model.course(asked, **more)
    with opened(model.unet) as denoiser:
        engine = LocalEngine(denoiser)
        engine.run(course)
    course.work = engine.meter.executed
    return course


@torch.no_grad()
def plain_loop(model: Model, course: Any, solver: str) -> Any:
    """The denoise loop as one writes it by hand with diffusers' parts."""
    from suffice.diffusion.schedulers import make_scheduler

    scheduler, generator = make_scheduler(model.parts.scheduler, solver), torch.Generator().manual_seed(3)
    scheduler.set_timesteps(8)
    latents = torch.randn(1, 4, 8, 8, generator=generator) * scheduler.init_noise_sigma
    for time in scheduler.timesteps:
        doubled = scheduler.scale_model_input(torch.cat([latents, latents]), time)
        without, prompted = model.unet(doubled, time, course.condition.text).sample.chunk(2)
        noise = without + 5.0 * (prompted - without)
        extra = {} if solver == "dpm++" else {"generator": generator}
        latents = scheduler.step(noise, time, latents, **extra).prev_sample
    return latents


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_rest_the_picture_is_that_of_a_plain_loop(model: Model, solver: str) -> None:
    course = finished(model, replace(ASKED, solver=solver, skip=SkipSettings(mode="off")))
    assert (course.latents - plain_loop(model, course, solver)).abs().max() <= 1e-4


@pytest.mark.parametrize("solver", SOLVERS)
def test_resting_regions_leave_out_work_and_stay_near(model: Model, solver: str) -> None:
    skip = SkipSettings(mode="budget", rest="apart", active_fraction=0.7, warmup_steps=2, reset_every=0)
    whole = finished(model, replace(ASKED, solver=solver, skip=SkipSettings(mode="off")))
    some = finished(model, replace(ASKED, solver=solver, skip=skip))
    assert some.work < 0.8 * whole.work
    assert np.mean(some.fractions) == pytest.approx(0.7, abs=0.02)
    assert 0 < (some.latents - whole.latents).abs().mean() < 0.5 * whole.latents.abs().mean()


def test_the_same_request_twice_is_the_same_picture(model: Model) -> None:
    asked = replace(ASKED, skip=SkipSettings(mode="auto", warmup_steps=2, threshold=0.5))
    assert torch.equal(finished(model, asked).latents, finished(model, asked).latents)


def test_whole_above_makes_a_step_whole(model: Model) -> None:
    skip = SkipSettings(mode="budget", rest="apart", active_fraction=0.9, warmup_steps=2, reset_every=0)
    course = finished(model, replace(ASKED, skip=skip), whole_above=0.01)
    assert sum(plan.kind == "whole" for plan in course.plans) > len(skip.dense_steps(8)) - 2
    assert all(not plan.tiles for plan in course.plans if plan.kind == "some")


def test_several_pictures_and_guidance_off(model: Model) -> None:
    skip = SkipSettings(mode="budget", rest="apart", active_fraction=0.7, warmup_steps=2, reset_every=0)
    assert finished(model, replace(ASKED, pictures=2, skip=skip)).latents.shape == (2, 4, 8, 8)
    assert finished(model, replace(ASKED, guidance=1.0, skip=skip)).condition.batch == 1


def test_only_the_masked_part_is_repainted(model: Model) -> None:
    from suffice.diffusion.vae import encode_images

    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    mask = np.zeros((32, 32), dtype=bool)
    mask[8:16, 8:24] = True
    skip = SkipSettings(mode="budget", active_fraction=0.7, warmup_steps=2, reset_every=0)
    course = finished(model, replace(ASKED, regions=2, skip=skip), picture=picture, mask=mask)
    kept = encode_images(model.parts.vae, [picture])[:, :, 0]
    outside = ~torch.as_tensor(mask[::4, ::4])
    assert (course.latents - kept)[..., outside].abs().max() <= 1e-5
    assert (course.latents - kept)[..., ~outside].abs().mean() > 0.01
    allowed = set(course.kept.tiles(course.grid))
    assert {t for region in course.regions for t in region} == allowed != set(range(course.grid.count))
    assert all(set(plan.tiles) <= allowed for plan in course.plans if plan.kind == "some")


def test_resting_raises_the_chance_to_run() -> None:
    settings = SkipSettings()
    scores = [score(Standing(1.0, 1, 0.05, rested), settings) for rested in range(5)]
    assert scores == sorted(scores) and scores[-1] > scores[0]


def test_nobody_rests_longer_than_allowed() -> None:
    settings = SkipSettings(threshold=1e9, rest_steps_max=3)
    standings = [Standing(1.0, 1, 0.0, rested) for rested in range(5)]
    assert auto(standings, settings, 1.0, 0) == {3, 4}


def test_auto_runs_what_changes_where_the_words_look() -> None:
    standings = [Standing(4.0, 1, 0.1), Standing(0.1, 1, 0.1), Standing(1.0, 1, 0.001)]
    assert auto(standings, SkipSettings(threshold=0.12), 1.0, 0) == {0}


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_a_budget_is_kept(fraction: float) -> None:
    dice = np.random.default_rng(0)
    standings = [Standing(float(a), 1, float(c)) for a, c in dice.random((16, 2))]
    chosen = budget(standings, SkipSettings(), fraction, 0)
    assert len(chosen) == round(16 * fraction)
    left = [score(standings[r], SkipSettings()) for r in range(16) if r not in chosen]
    assert all(score(standings[r], SkipSettings()) >= max(left, default=0) for r in chosen)


def test_what_fill_in_foresees_is_no_change(model: Model) -> None:
    """Noise along a line: it changes from the last, and not from what the line through two makes of that."""
    changes = {}
    for told in ("last", "fill"):
        course = model.course(replace(ASKED, skip=SkipSettings(change_from=told)))
        noise = torch.ones(1, course.grid.count, 4, course.grid.tile, course.grid.tile)
        for time in (900.0, 800.0, 700.0):
            plan = StepPlan(0, time, "whole", (), tuple(range(course.grid.count)))
            course._remember(plan, noise * (1000 - time))
        changes[told] = course.change.max()
    assert changes["last"] == pytest.approx(0.5) and changes["fill"] == pytest.approx(0.0, abs=1e-6)


def test_first_order_follows_a_line_but_not_for_ever() -> None:
    noise = torch.arange(3.0).reshape(1, 3, 1, 1, 1)
    history = History.of(noise, 900.0)
    history.update(torch.tensor([1, 2]), noise[:, 1:] + 1, 800.0)
    filled = first_order(history, 750.0).flatten().tolist()
    assert filled == pytest.approx([0.0, 2.5, 3.5])
    assert first_order(history, 100.0).flatten().tolist() == pytest.approx([0.0, 3.0, 4.0])


@pytest.mark.parametrize("count", [1, 2, 5, 16, 40])
def test_regions_share_all_tiles_at_equal_cost(count: int) -> None:
    grid = TileGrid(64, 80, 8)
    costs = np.random.default_rng(1).random(80) + 0.5
    subject = np.zeros(80, dtype=bool)
    subject[[23, 24, 25, 33, 34, 35]] = True
    regions = cut_regions(grid, costs.tolist(), subject.tolist(), count)
    assert len(regions) == count and sorted(t for r in regions for t in r) == list(range(80))
    if count in (2, 5):
        assert all(len({bool(subject[t]) for t in region}) == 1 for region in regions)
    if count <= 16:  # with two tiles a region, equal parts do not exist
        rest = [sum(costs[list(r)]) for r in regions if not subject[r[0]]]
        assert max(rest) <= 2 * min(rest)


def test_workers_get_equal_cost_or_by_speed() -> None:
    shares = share_out([1.0] * 12, 3)
    assert [len(one) for one in shares] == [4, 4, 4]
    assert [len(one) for one in share_out([1.0] * 12, 2, [1.0, 3.0])] == [3, 9]
    with pytest.raises(UsageError, match="5 workers for 4 regions"):
        share_out([1.0] * 4, 5)


def test_otsu_finds_the_gap() -> None:
    dice = np.random.default_rng(2)
    values = np.concatenate([dice.normal(0.2, 0.05, 500), dice.normal(0.8, 0.05, 200)])
    assert 0.3 < otsu_threshold(values) < 0.7


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (replace(ASKED, tile=3), "multiple of 2"),
        (replace(ASKED, tile=6), "do not divide a latent of 8×8; these do: 2, 4, 8"),
        (replace(ASKED, height=33), "multiples of 4"),
        (replace(ASKED, solver="heun"), "none of ddim, euler"),
        (replace(ASKED, steps=2, skip=SkipSettings(mode="auto")), "2 warm-up steps do not fit in 2"),
        (replace(ASKED, steps=20, skip=parse_skip("budget=0.1")), "not between 0.15 and 1: 3 of 20"),
        (replace(ASKED, steps=20, regions=2, skip=parse_skip("budget=0.16")), "not between 0.2 and 1: 4 of 20"),
        (replace(ASKED, skip=SkipSettings(rest="apar")), "none of auto, together, apart .did you mean 'apart'"),
        (replace(ASKED, skip=SkipSettings(fill="second")), "none of zero_order"),
        (replace(ASKED, skip=SkipSettings(change_from="lst")), "none of last, fill .did you mean 'last'"),
        (replace(ASKED, frames=3, pictures=2), "3 frames of 2 pictures"),
    ],
)
def test_bad_requests_are_refused(model: Model, asked: RequestSettings, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        model.course(asked)


def test_more_regions_than_tiles_are_refused(model: Model) -> None:
    with pytest.raises(UsageError, match="99 regions of 4 tiles"):
        finished(model, replace(ASKED, regions=99, skip=SkipSettings(mode="budget", active_fraction=0.9)))


@pytest.mark.parametrize("text", ["of", "budget", "budget=x", "auto=1"])
def test_bad_skips_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_skip(text)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("solver", ["ddim", "euler"])
def test_held_noise_is_one_large_step(solver: str, kind: str) -> None:
    """A tile that rests for four small steps ends where one step over all four ends."""
    from diffusers import DDIMScheduler

    from suffice.diffusion.schedulers import make_scheduler
    from suffice.regional.prediction import from_noise, level, to_noise

    base = DDIMScheduler(clip_sample=False, prediction_type=kind, timestep_spacing="trailing", set_alpha_to_one=False)
    scheduler = make_scheduler(base, solver)
    scheduler.set_timesteps(20)
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * scheduler.init_noise_sigma
    picture, held = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    for step, time in enumerate(scheduler.timesteps[:4]):
        seen, at = scheduler.scale_model_input(latents, time), level(scheduler, step)
        if step == 0:
            held = to_noise(kind, picture, seen, at)
            start = (seen - at[1] * held) / at[0]
        assert torch.allclose(to_noise(kind, from_noise(kind, held, seen, at), seen, at), held, atol=1e-4)
        latents = scheduler.step(from_noise(kind, held, seen, at), time, latents).prev_sample
    after = level(scheduler, 4)
    seen = scheduler.scale_model_input(latents, scheduler.timesteps[4])
    assert (seen - after[0] * start - after[1] * held).abs().max() <= 1e-3 * seen.abs().max()


def test_whole_steps_are_as_near_as_the_budget_pays_for() -> None:
    half, third, own = (
        SkipSettings(mode="budget", rest="apart", active_fraction=f).settled(True, 20) for f in (0.5, 0.34, 0.95)
    )
    assert sorted(half.dense_steps(20)) == [0, 1, 2, 5, 8, 11, 14, 17, 19]
    assert len(third.dense_steps(20)) == 6 and own.reset_every == 3


def test_together_a_budget_is_whole_steps_spread_over_all() -> None:
    half = SkipSettings(mode="budget", active_fraction=0.5).settled(False, 20)
    assert sorted(half.dense_steps(20)) == [0, 1, 3, 5, 7, 9, 11, 14, 16, 19]
    for steps in (4, 7, 20, 50):
        for count in range(3, steps + 1):
            whole = sorted(spread(count, 2, steps))
            assert len(whole) == count and whole[:2] == [0, 1] and whole[-1] == steps - 1
            apart = np.diff(whole[2:])
            assert not len(apart) or apart.max() <= 2 * apart.mean() + 1


@pytest.mark.parametrize(("regions", "rest"), [(None, "together"), (4, "apart")])
def test_regions_rest_apart_only_where_that_is_asked(model: Model, regions: int | None, rest: str) -> None:
    asked = replace(ASKED, regions=regions, skip=SkipSettings(mode="budget", active_fraction=0.75))
    course = finished(model, asked)
    assert course.settings.skip.rest == rest and len(course.regions) == 4
    assert np.mean(course.fractions) == pytest.approx(0.75, abs=0.02)
    assert (set(course.fractions) == {0.0, 1.0}) is (rest == "together")


def test_auto_together_adds_to_every_second_step(model: Model) -> None:
    always, least = (finished(model, replace(ASKED, skip=SkipSettings(threshold=t))).fractions for t in (0.0, 1e9))
    assert always == [1.0] * 8
    assert {step for step, ran in enumerate(least) if ran} == spread(4, 2, 8)
