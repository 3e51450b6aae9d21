"""The whole way from settings to frames, on random weights: what must be equal is equal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from tiny_diffusion import CHANNELS, tiny_checkpoint, tiny_controlnet

from suffice import SufficeWarning
from suffice.diffusion.animator import Animator
from suffice.diffusion.load import load_parts
from suffice.diffusion.motion.load import load_motion
from suffice.diffusion.schedulers import SHORT, make_scheduler
from suffice.diffusion.settings import Settings, settings_from
from suffice.errors import ModelError, UsageError

SHORT_RUN = Settings(frames=6, steps=3, timeline="a red cat", negative="dog", seed=3)


@pytest.fixture(scope="module")
def animator() -> Animator:
    return Animator(str(tiny_checkpoint()), device="cpu")


@pytest.fixture(scope="module")
def frames(animator: Animator) -> list[np.ndarray]:
    return list(animator.animate(replace(SHORT_RUN, timeline="a house")).frames)


@pytest.fixture(scope="module")
def folder(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("frames")
    for number, frame in enumerate(frames):
        PIL.Image.fromarray(frame).save(where / f"{number}.png")
    return where


def _latents(animator: Animator, settings: Settings) -> torch.Tensor:
    return animator.animate(settings).latents


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "euler-a", "dpm++", "lcm"])
def test_equal_to_diffusers_animatediff_pipeline(animator: Animator, scheduler: str) -> None:
    from diffusers import AnimateDiffPipeline

    parts = animator.parts
    pipeline = AnimateDiffPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoders[0],
        tokenizer=parts.tokenizers[0],
        unet=parts.unet,
        motion_adapter=load_motion(parts.folder / "motion").adapter,
        scheduler=make_scheduler(parts.scheduler, scheduler),
    )
    pipeline.set_progress_bar_config(disable=True)
    how: dict[str, Any] = {"num_frames": 6, "num_inference_steps": 3, "width": 16, "height": 16, "guidance_scale": 7.5}
    generator = torch.Generator().manual_seed(3)
    theirs = pipeline("a red cat", negative_prompt="dog", generator=generator, output_type="pt", **how).frames[0]
    ours = np.stack(list(animator.animate(replace(SHORT_RUN, scheduler=scheduler)).frames))
    wanted = (theirs.permute(0, 2, 3, 1).numpy() * 255).round()
    assert np.abs(ours - wanted).max() <= 1
    generator = torch.Generator().manual_seed(3)
    latents = pipeline("a red cat", negative_prompt="dog", generator=generator, output_type="latent", **how).frames
    assert torch.allclose(_latents(animator, replace(SHORT_RUN, scheduler=scheduler)), latents, atol=1e-4)


def test_a_picture_equals_diffusers_pipeline(animator: Animator) -> None:
    from diffusers import StableDiffusionPipeline

    parts = animator.parts
    pipeline = StableDiffusionPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoders[0],
        tokenizer=parts.tokenizers[0],
        unet=parts.unet,
        scheduler=make_scheduler(parts.scheduler, "ddim"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(3)
    how: dict[str, Any] = {"num_inference_steps": 3, "width": 16, "height": 16, "guidance_scale": 7.5}
    wanted = pipeline("a red cat", negative_prompt="dog", generator=generator, output_type="latent", **how).images
    found = _latents(animator, replace(SHORT_RUN, frames=1, scheduler="ddim"))
    assert torch.allclose(found[:, :, 0], wanted, atol=1e-4)


def test_guidance_rescale_is_diffusers(animator: Animator) -> None:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg

    from suffice.diffusion.guidance import guide

    negative, positive = torch.randn(3, 4, 5, 5), torch.randn(3, 4, 5, 5)
    guided = negative + 7 * (positive - negative)
    assert torch.allclose(
        guide(negative, positive, [7, 7, 7], 0.6), rescale_noise_cfg(guided, positive, 0.6), atol=1e-5
    )
    assert torch.equal(guide(negative, positive, [7, 7, 7]), guided)
    each = guide(negative, positive, [1, 7, 7])
    assert torch.allclose(each[0], positive[0], atol=1e-6) and torch.allclose(each[1:], guided[1:], atol=1e-6)


def test_sdxl_runs_through_the_same_code() -> None:
    animator = Animator(str(tiny_checkpoint("sdxl")), device="cpu")
    plain, other = (_latents(animator, replace(SHORT_RUN, frames=2, timeline=text)) for text in ("a", "b"))
    assert plain.shape == (1, 4, 2, 4, 4) and not torch.equal(plain, other)


@pytest.mark.parametrize("scheduler", sorted(SHORT))
def test_every_scheduler_by_a_short_name(animator: Animator, scheduler: str) -> None:
    settings = replace(SHORT_RUN, frames=1, steps=4, scheduler=scheduler)
    found = _latents(animator, settings)
    assert bool(torch.isfinite(found).all()) and torch.equal(found, _latents(animator, settings))


def test_one_seed_one_clip_and_another_seed_another(animator: Animator) -> None:
    settings = replace(SHORT_RUN, context=4, scheduler="euler-a")
    assert torch.equal(_latents(animator, settings), _latents(animator, settings))
    assert not torch.equal(_latents(animator, settings), _latents(animator, replace(settings, seed=4)))


def test_split_guidance_is_the_same(animator: Animator) -> None:
    assert torch.allclose(_latents(animator, SHORT_RUN), _latents(animator, replace(SHORT_RUN, split=True)), atol=1e-4)


def test_a_prompt_key_speaks_for_its_frame(animator: Animator) -> None:
    """Without motion, frames are on their own: at a key the frame is that of the prompt alone."""
    alone = replace(SHORT_RUN, motion="none")
    travelling = _latents(animator, replace(alone, timeline="0: a\n5: b"))
    first, last = (_latents(animator, replace(alone, timeline=text)) for text in ("a", "b"))
    assert torch.allclose(travelling[:, :, 0], first[:, :, 0], atol=1e-4)
    assert torch.allclose(travelling[:, :, 5], last[:, :, 5], atol=1e-4)
    assert not torch.allclose(travelling[:, :, 2], first[:, :, 2], atol=1e-3)


def test_negative_prompts_and_guidance_travel_too(animator: Animator) -> None:
    alone = replace(SHORT_RUN, motion="none", negative="")
    both = _latents(animator, replace(alone, timeline="a\nnegative 0: x\nnegative 5: y\nguidance: 0: 3, 5: 9"))
    first = _latents(animator, replace(alone, timeline="a", negative="x", guidance=3))
    last = _latents(animator, replace(alone, timeline="a", negative="y", guidance=9))
    assert torch.allclose(both[:, :, 0], first[:, :, 0], atol=1e-4)
    assert torch.allclose(both[:, :, 5], last[:, :, 5], atol=1e-4)


def test_a_prompt_of_three_chunks_makes_one_clip(animator: Animator) -> None:
    settings = replace(SHORT_RUN, timeline="0: " + "cat " * 60 + "\n3: b", negative="")
    assert bool(torch.isfinite(_latents(animator, settings)).all())


def test_windows_need_no_longer_clip_than_asked(animator: Animator) -> None:
    seen: list[int] = []
    handle = animator.parts.unet.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    _latents(animator, replace(SHORT_RUN, frames=11, context=4, overlap=1, loop="A"))
    handle.remove()
    assert set(seen) == {2 * 4}


def test_freeinit_denoises_again(animator: Animator) -> None:
    steps: list[int] = []
    clip = animator.animate(replace(SHORT_RUN, freeinit=3), lambda done, of, latents: steps.append(done))
    assert steps == [1, 2, 3] * 3
    assert not torch.equal(clip.latents, _latents(animator, SHORT_RUN))


def test_from_a_clip_and_from_pictures(animator: Animator, folder: Path, frames: list[np.ndarray]) -> None:
    from suffice.diffusion.vae import encode_images

    settings = replace(SHORT_RUN, steps=20, init=str(folder), strength=0.05)
    source = encode_images(animator.parts.vae, frames)
    near = (_latents(animator, settings) - source).abs().mean()
    far = (_latents(animator, replace(settings, strength=0.9)) - source).abs().mean()
    assert near < far / 3
    still = replace(SHORT_RUN, init=str(folder / "0.png"), last=str(folder / "5.png"), strength=0.4)
    other = replace(still, last=str(folder / "1.png"))
    assert not torch.equal(_latents(animator, still), _latents(animator, other))


def test_control_by_frame(animator: Animator, folder: Path) -> None:
    alone = replace(SHORT_RUN, motion="none")
    free = _latents(animator, alone)
    spec = f"edges:{folder}"
    whole = _latents(animator, replace(alone, control=(spec,)))
    some = _latents(animator, replace(alone, control=(spec,), timeline="a red cat\ncontrol edges: 0: 1, 5: 0"))
    assert torch.allclose(some[:, :, 0], whole[:, :, 0], atol=1e-4)
    assert torch.allclose(some[:, :, 5], free[:, :, 5], atol=1e-4)
    assert not torch.allclose(whole, free, atol=1e-3)
    none = _latents(animator, replace(alone, control=(f"{spec}=0",)))
    assert torch.equal(none, free)


def test_two_controls_are_added_and_one_may_come_from_elsewhere(
    animator: Animator, folder: Path, tmp_path: Path
) -> None:
    tiny_controlnet().save_pretrained(tmp_path / "net")
    one = replace(SHORT_RUN, motion="none", control=(f"edges:{folder}",))
    two = replace(one, control=(*one.control, f"flow:{folder}"), controlnets=(f"flow={tmp_path / 'net'}",))
    assert not torch.allclose(_latents(animator, one), _latents(animator, two), atol=1e-3)


def test_each_window_gets_its_own_hints(animator: Animator, folder: Path) -> None:
    """Windowed or whole, with frames on their own, control gives the same."""
    whole = replace(SHORT_RUN, motion="none", control=(f"hint:{folder}",), controlnets=(f"hint={_net(animator)}",))
    windowed = replace(whole, context=2, overlap=1)
    assert torch.allclose(_latents(animator, whole), _latents(animator, windowed), atol=1e-4)


def _net(animator: Animator) -> Path:
    return animator.parts.folder / "controlnet_edge"


def test_a_control_clip_that_ends_early_holds_its_last_frame_and_says_so(animator: Animator, folder: Path) -> None:
    with pytest.warns(SufficeWarning, match="has 6 frames, the clip 8: its last frame is held"):
        _latents(animator, replace(SHORT_RUN, frames=8, control=(f"edges:{folder}",)))


def test_loras_by_name_of_the_checkpoint_and_by_timeline(animator: Animator, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    name = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    pair = {f"{name}.lora_A.weight": torch.randn(2, CHANNELS[0]), f"{name}.lora_B.weight": torch.randn(CHANNELS[0], 2)}
    save_file(pair, tmp_path / "style.safetensors")
    path = tmp_path / "style.safetensors"
    alone = replace(SHORT_RUN, motion="none")
    free, half = _latents(animator, alone), _latents(animator, replace(alone, loras=(f"{path}=0.5",)))
    travelling = replace(alone, loras=(str(path),), timeline="a red cat\nlora style: 0: 0, 5: 0.5")
    found = _latents(animator, travelling)
    assert torch.allclose(found[:, :, 0], free[:, :, 0], atol=1e-4)
    assert torch.allclose(found[:, :, 5], half[:, :, 5], atol=1e-4)
    assert torch.equal(_latents(animator, alone), free)


def test_regions_have_their_own_prompts(animator: Animator, tmp_path: Path) -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[:, 8:] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "right.png")
    right = str(tmp_path / "right.png")
    one = replace(SHORT_RUN, frames=1, steps=1)
    plain, other = _latents(animator, one), _latents(animator, replace(one, timeline="a house"))
    found = _latents(animator, replace(one, regions=(f"{right}:a house",)))
    assert torch.allclose(found[..., :2], plain[..., :2], atol=1e-4)
    assert torch.allclose(found[..., 2:], other[..., 2:], atol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scheduler": "eulr"}, "no scheduler 'eulr' .*'euler'"),
        ({"width": 17}, "not in steps of 8 pixels.* try 24 x 16"),
        ({"mask": "x.png"}, "give it with --init"),
        ({"control": ("cany:x",)}, "no control 'cany' .*'canny'"),
        ({"control": ("canny",)}, "is not KIND:SOURCE"),
        ({"timeline": "a\ncontrol canny: 0: 1"}, "the clip has no such control"),
        ({"timeline": "a\nlora x: 1"}, "the clip has no such"),
        ({"loras": ("motiom",)}, "no part 'motiom' .*'motion'"),
        ({"motion": "/nowhere"}, "there is no /nowhere"),
        ({"context": 40}, "knows 32"),
        ({"regions": ("x",)}, "is not MASK:PROMPT"),
        ({"clip_skip": 9}, "leaves no layer"),
    ],
)
def test_wrong_settings_are_said_in_one_line(animator: Animator, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        animator.animate(replace(SHORT_RUN, **wrong))
    assert "\n" not in str(caught.value)


def test_settings_are_checked_and_named() -> None:
    with pytest.raises(UsageError, match="frames must be at least 1"):
        Settings(frames=0)
    with pytest.raises(UsageError, match=r"no setting .freams. .*.frames."):
        settings_from({"freams": 3})
    settings = replace(SHORT_RUN, loras=("a", "b"))
    assert settings_from(settings.as_json()) == settings


def test_checkpoints_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no model_index\.json"):
        load_parts(str(tmp_path))
    with pytest.raises(UsageError, match=r"there is no checkpoint .\./nowhere"):
        load_parts("./nowhere")
    (tmp_path / "model.ckpt").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"only \.safetensors files are read"):
        load_parts(str(tmp_path / "model.ckpt"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="the hub cannot give 'nobody/nothing'"):
        load_parts("nobody/nothing")


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint(), broken)
    (broken / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_parts(str(broken))


def test_a_hub_id_goes_through_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = []

    def snapshot(repo: str, **how: Any) -> str:
        asked.append((repo, how["revision"]))
        return str(tiny_checkpoint())

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert load_parts("somebody/tiny@v2", device="cpu").side_px == 16
    assert asked == [("somebody/tiny", "v2")]
