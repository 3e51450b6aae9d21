"""The training code: the loop resumes exactly, losses are what their formulas say, targets are true to the scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

import torch

from suffice.diffusion.pocket import judge
from suffice.diffusion.pocket.clip_latents import ClipLatents
from suffice.diffusion.pocket.curve import as_svg, collect
from suffice.diffusion.pocket.data import scenes
from suffice.diffusion.pocket.fit import Plan, fit, rate_at
from suffice.diffusion.pocket.measure import edge_iou, share
from suffice.diffusion.pocket.muon import is_matrix, orthogonalised
from suffice.diffusion.pocket.noise import signal_and_noise, v_loss
from suffice.diffusion.pocket.sample import one, two
from suffice.diffusion.pocket.scene import COLOURS, KINDS, MOTIONS, STILL, Scene, Thing
from suffice.diffusion.pocket.stages import inpaint, lcm, motion, motion_lora, moves, text, unet
from suffice.diffusion.pocket.stages.moves import ready

PLAN = Plan("toy", steps=12, rate=1e-2, seed=1, save_every=4)


def toy() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(40, 36), torch.nn.Tanh(), torch.nn.Linear(36, 1))


def run(folder: Path, plan: Plan, stop: int | None = None) -> dict[str, Any]:
    """Train the toy; with `stop`, break off there as a killed process would."""
    model = toy()

    def loss(step: int, generator: Any) -> Any:
        if step == stop:
            raise KeyboardInterrupt
        x = torch.randn(16, 40, generator=generator)
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    fit(plan, model, loss, folder)
    return model.state_dict()


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_a_broken_run_ends_as_an_unbroken_one(tmp_path: Path, optimiser: str) -> None:
    plan = replace(PLAN, optimiser=optimiser)
    whole = run(tmp_path / "whole", plan)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", plan, stop=10)
    resumed = run(tmp_path / "broken", plan)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_training_lowers_the_loss_and_keeps_the_curve(tmp_path: Path, optimiser: str) -> None:
    run(tmp_path, replace(PLAN, steps=150, optimiser=optimiser))
    curve = collect(tmp_path, ("toy", "other"))["toy"]
    assert curve[-1][0] == 150 and curve[-1][1] < curve[0][1] / 2
    assert as_svg({"toy": curve}).count("<polyline") == 1


def test_rate_warms_up_and_falls() -> None:
    rates = [rate_at(Plan("x", 1000, 1.0, 0), step) for step in range(1000)]
    assert rates[0] < 0.1 and max(rates) == pytest.approx(1.0) and rates[-1] < 0.03


def test_orthogonalised_singular_values_are_near_one() -> None:
    for shape in ((64, 300), (300, 64), (48, 48)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.3 and values.max() < 1.4
        both = torch.randn(2, *shape)
        assert torch.allclose(orthogonalised(both), torch.stack([*map(orthogonalised, both)]), atol=1e-5)
    assert not is_matrix(torch.zeros(64)) and is_matrix(torch.zeros(64, 8, 3, 3))


def test_v_loss_is_nothing_for_the_true_v_and_the_second_moment_for_none() -> None:
    clean = torch.randn(64, 4, 16, 16)
    at = torch.randint(0, 1000, (64,))
    signal, noise = signal_and_noise(at, clean)
    assert torch.allclose(signal**2 + noise**2, torch.ones_like(signal))

    def true_v(noisy: Any, t: Any) -> Any:
        return (signal * noisy - clean) / noise  # x0 = signal * x - noise * v

    assert v_loss(true_v, clean, torch.Generator().manual_seed(1), at) < 1e-4
    blind = v_loss(lambda noisy, t: torch.zeros_like(noisy), clean, torch.Generator().manual_seed(1), at)
    assert abs(float(blind) - 1) < 0.1


def test_consistency_jump_is_the_latent_itself_at_the_start() -> None:
    noisy, v = torch.randn(2, 4, 16, 16), torch.randn(2, 4, 16, 16)
    start, far = torch.zeros(2, dtype=torch.long), torch.full((2,), 900)
    assert torch.allclose(lcm._jump(v, noisy, start), noisy)
    assert torch.allclose(lcm._jump(v, noisy, far), lcm._ends(v, noisy, far)[0], atol=1e-2)


def test_things_weigh_more_than_grounds_but_not_under_strong_noise() -> None:
    clean = torch.zeros(1, 4, 16, 16)
    clean[..., 4:8, 4:8] = 2.0
    weak, strong = (unet.thing_weight(clean, torch.tensor([t])) for t in (300, 900))
    assert weak[0, 0, 5, 5] == pytest.approx(5 * float(weak[0, 0, 0, 0])) and weak.mean() == pytest.approx(1.0)
    assert (strong == 1).all()


def test_text_targets_say_what_stands_where() -> None:
    rng = np.random.default_rng(2)
    told = two(rng)
    rows = text.targets(told)
    filled = [row for row in rows if row[0]]
    assert sorted(row[0] for row in filled) == sorted(1 + KINDS.index(thing.kind) for thing in told.things)
    place = one(rng)
    assert next(row for row in text.targets(place) if row[0])[1] == 1 + tuple(COLOURS).index(place.things[0].colour)


def test_judge_marks_put_the_named_thing_on_its_side() -> None:
    rng = np.random.default_rng(4)
    side = {"left of": "left", "right of": "right", "above": "top", "below": "bottom"}
    for _ in range(50):
        told = two(rng)
        first = judge.marks(told)[judge.STANDS.index(side[told.relation])]
        assert first[0] == 1 + KINDS.index(told.things[0].kind)


def test_inpaint_masks_are_boxes_of_every_kind() -> None:
    masks = inpaint.masks(np.random.default_rng(1), scenes(60, 5))
    filled = masks.mean((1, 2, 3))
    assert set(masks.unique().tolist()) <= {0.0, 1.0} and (filled == 1).any() and (filled < 0.3).any()


def test_panned_clips_say_nothing_of_motion_and_drift_right() -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        frames = motion_lora.panned(rng)
        assert frames[0].things[0].motion in ("", STILL)
        assert frames[-1].things[0].centre_xy[0] - frames[0].things[0].centre_xy[0] >= 0.29


def test_shares_and_overlaps() -> None:
    assert share([True] * 9 + [False]) == {"n": 10, "share": 0.9, "interval": [0.5958, 0.9821]}
    lines = np.zeros((64, 64), np.uint8)
    picture = np.zeros((64, 64, 3))
    picture[20:40, 20:40] = 1
    from suffice.diffusion.pocket.edges import edges

    own = edges(np.round(picture * 255).astype(np.uint8))
    assert edge_iou(picture, own) == (1.0, 1.0)
    assert edge_iou(picture, lines) == (0.0, 0.0)


def test_the_motion_stage_trains_the_very_weights_of_the_still_unet() -> None:
    """One step of the loss on clips alone must change what the UNet does to stills."""
    from diffusers import UNet2DConditionModel

    from suffice.diffusion.pocket import configs
    from suffice.diffusion.pocket.clip_latents import ClipLatents

    torch.manual_seed(0)
    still = UNet2DConditionModel(**configs.UNET)
    moved = motion.sharing(still)
    before = still.conv_in.weight.detach().clone()
    clips = ClipLatents(torch.randn(3, 16, 4, 16, 16), torch.randn(3, 77, 96), torch.randn(77, 96))
    motion.clip_loss(moved, clips, torch.Generator().manual_seed(1)).backward()
    torch.optim.SGD(moved.parameters(), lr=0.1).step()
    assert not torch.equal(still.conv_in.weight, before)
    assert {id(weight) for weight in still.parameters()} <= {id(weight) for weight in moved.parameters()}


def test_kept_latents_are_stale_when_an_encoder_is_newer(tmp_path: Path) -> None:
    import os

    from suffice.diffusion.pocket.latents import is_stale

    latents, encoder = tmp_path / "latents.pt", tmp_path / "vae.pt"
    assert is_stale(latents)
    for path in (latents, encoder):
        path.touch()
    os.utime(latents, (100, 100))
    os.utime(encoder, (50, 50))
    assert not is_stale(latents)
    os.utime(encoder, (150, 150))
    assert is_stale(latents)


def test_a_ready_motion_adapter_tells_frames_apart() -> None:
    """What attention gives for sixteen equal frames: the same for all with random weights, and with ours not."""

    from suffice.diffusion.pocket.random_folder import make_motion

    def spread(adapter: Any) -> float:
        """Of the frames' outputs around their mean, as a share of their size."""
        block = adapter.mid_block.motion_modules[0].transformer_blocks[0]
        frames = torch.randn(8, 1, 96, generator=torch.Generator().manual_seed(1)).expand(-1, 16, -1)
        with torch.no_grad():
            seen = block.attn1(block.pos_embed(block.norm1(frames)))
        return float((seen - seen.mean(1, keepdim=True)).norm() / seen.norm())

    torch.manual_seed(0)
    plain, started = spread(make_motion()), spread(ready(make_motion()))
    assert started > 0.1 > 5 * plain, (started, plain)


def test_opposite_clips_share_scene_noise_and_time_and_differ_in_word() -> None:
    """Two clips that move, one that spins: shown with their opposites, backwards or held."""
    told = [
        Scene("black", (Thing("star", "red", "", (0.5, 0.5), 0.2, motion=way),)) for way in (*MOTIONS[:2], "spinning")
    ]
    clips = ClipLatents(torch.randn(3, 16, 4, 16, 16).half(), torch.randn(3, 77, 8).half(), torch.zeros(77, 8))
    other = moves.Opposites([scene.things[0].motion for scene in told], torch.randn(3, 77, 8).half())
    asked: list[Any] = []

    def moved(noisy: Any, t: Any, states: Any) -> Any:
        asked.append((noisy, t, states))
        return SimpleNamespace(sample=torch.zeros_like(noisy))

    loss = moves.pair_loss(moved, clips, other, [0, 2], (0, 3), torch.Generator().manual_seed(1))
    (noisy, t, states), clean = asked[0], clips.clean[[0, 2]].float().transpose(1, 2)
    assert t.tolist() == [*t[:2].tolist()] * 2 and 500 <= t[0] < 1000
    assert torch.equal(states[::16], torch.cat([clips.states[[0, 2]], other.states[[0, 2]]]).float())
    signal, spread = signal_and_noise(t[:2], clean)
    noise = (noisy[:2] - signal * clean) / spread
    backwards, held = clean[0].flip(1), clean[1][:, :1].expand(-1, 16, -1, -1)
    assert torch.allclose(noisy[2:], signal * torch.stack([backwards, held]) + spread * noise, atol=1e-4)
    clean = torch.cat([clean, torch.stack([backwards, held])])
    signal, spread = signal_and_noise(t, clean)
    one, two = (-(signal * noise.repeat(2, 1, 1, 1, 1) - spread * clean)).chunk(2)
    weight = torch.tensor([2.0, 6.0])[:, None, None, None, None]
    wanted = ((one**2 + two**2 + 2 * (one - two) ** 2) * weight).mean() / 2
    assert torch.allclose(loss, wanted, rtol=1e-3)
    assert other.rows((MOTIONS[6], STILL)) == [2]


def test_half_of_the_frames_keep_their_places() -> None:
    """Steps that see every second frame, odd and even by turns; afterwards the adapter counts frames as before."""
    assert [moves.frames_shown(step) for step in (0, 1)] == [slice(0, None, 2), slice(1, None, 2)]
    assert moves.frames_shown(moves.PLAN.steps - 1) == slice(None)
    assert set(moves.pairs_shown(0)) == {0, 1} and set(moves.pairs_shown(moves.PLAN.steps - 1)) == {0, 1, 2, 3}
    from suffice.diffusion.pocket.random_folder import make_motion

    adapter = make_motion()
    places = [module for name, module in adapter.named_modules() if name.endswith(".pos_embed")]
    whole = places[0].pe.clone()
    with moves.placed(adapter, slice(1, None, 2)):
        seen = places[0](torch.zeros(1, 8, whole.shape[-1]))
    assert torch.equal(seen, whole[:, 1:16:2]) and torch.equal(places[0].pe, whole)


def test_words_are_asked_for_where_the_noise_hides_the_motion() -> None:
    generator = torch.Generator().manual_seed(0)
    crossing, spins = (torch.tensor([moves.pair_timestep(pair, generator) for _ in range(500)]) for pair in (0, 3))
    assert crossing.min() >= 500 and (crossing >= 880).float().mean() > 0.75
    assert spins.min() >= 500 and (spins >= 700).float().mean() > 0.75
