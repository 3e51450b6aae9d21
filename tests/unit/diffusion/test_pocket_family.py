"""The trained family as it ships: it loads whole, fits its size, and paints what it is asked to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from suffice.assets import asset_path
from suffice.diffusion.pocket.draw import draw
from suffice.diffusion.pocket.edges import as_hint, edges
from suffice.diffusion.pocket.scene import BACKGROUNDS, COLOURS, Scene, Thing

FAMILY = asset_path("pocket")
PARTS = {
    "unet": "UNet2DConditionModel",
    "unet_inpaint": "UNet2DConditionModel",
    "vae": "AutoencoderKL",
    "controlnet_edge": "ControlNetModel",
    "motion": "MotionAdapter",
}
SHAPE = {"height": 64, "width": 64, "output_type": "np"}


@pytest.fixture(scope="module")
def pipe() -> Any:
    import torch
    from diffusers import StableDiffusionPipeline

    torch.set_num_threads(1)
    loaded = StableDiffusionPipeline.from_pretrained(FAMILY, safety_checker=None)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def source(seed: int) -> Any:
    import torch

    return torch.Generator().manual_seed(seed)


def ink(picture: np.ndarray, background: str) -> np.ndarray:
    """Where a picture in [0, 1] differs clearly from the asked ground."""
    return np.abs(picture * 255 - BACKGROUNDS[background]).sum(-1) > 120


def colour_of(picture: np.ndarray, background: str) -> str:
    """The colour name nearest to most of what is not ground."""
    inside = picture[ink(picture, background)] * 255
    names, values = list(COLOURS), np.array(list(COLOURS.values()))
    if len(inside) < 8:
        return ""
    nearest = np.abs(inside[:, None] - values).sum(-1).argmin(1)
    return names[np.bincount(nearest, minlength=len(names)).argmax()]


@pytest.mark.parametrize("part", PARTS)
def test_part_loads_with_no_key_too_many_or_too_few(part: str) -> None:
    import diffusers

    _, info = getattr(diffusers, PARTS[part]).from_pretrained(FAMILY / part, output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")), info


def test_text_encoder_loads_whole() -> None:
    from transformers import CLIPTextModel

    _, info = CLIPTextModel.from_pretrained(FAMILY / "text_encoder", output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), info


def test_sizes() -> None:
    sizes = [path.stat().st_size for path in FAMILY.rglob("*") if path.is_file()]
    assert sum(sizes) <= 25e6 and max(sizes) <= 10e6


def test_weights_are_finite_half_precision_and_used() -> None:
    from safetensors.numpy import load_file

    for path in FAMILY.rglob("*.safetensors"):
        for name, weight in load_file(path).items():
            assert weight.dtype == np.float16 and np.isfinite(weight).all(), (path, name)


ASKED = [("red", "black"), ("yellow", "navy"), ("blue", "beige"), ("white", "brown")]


def test_asked_colour_is_painted(pipe: Any) -> None:
    prompts = [f"a large {colour} square in the middle on a {ground} background" for colour, ground in ASKED]
    pictures = pipe(prompts, num_inference_steps=12, guidance_scale=3.0, generator=source(1), **SHAPE).images
    seen = [colour_of(picture, ground) for picture, (_, ground) in zip(pictures, ASKED, strict=True)]
    assert seen == [colour for colour, _ in ASKED]


def test_named_places_are_kept(pipe: Any) -> None:
    prompts = [f"a red circle on the {side} on a black background" for side in ("left", "right")]
    pictures = pipe(prompts, num_inference_steps=12, guidance_scale=3.0, generator=source(2), **SHAPE).images
    left, right = (np.nonzero(ink(picture, "black"))[1].mean() for picture in pictures)
    assert left < 28 and right > 36


def test_autoencoder_gives_the_picture_back(pipe: Any) -> None:
    from suffice.diffusion.pocket.measure import psnr

    assert psnr(pipe.vae, 32, seed=77)["mean"] >= 28


def test_levelled_latents_need_no_scale(pipe: Any) -> None:
    import torch

    from suffice.diffusion.pocket.data import as_pixels, scenes

    with torch.no_grad():
        latents = pipe.vae.encode(as_pixels(scenes(64, 78)).float()).latent_dist.mean
    assert latents.mean((0, 2, 3)).abs().max() < 0.25 and (latents.std((0, 2, 3)) - 1).abs().max() < 0.25
    assert pipe.vae.config.scaling_factor == 1.0


def test_lcm_lora_paints_in_four_steps(pipe: Any) -> None:
    from diffusers import LCMScheduler

    usual = pipe.scheduler
    prompts = [f"a large {colour} circle in the middle on a {ground} background" for colour, ground in ASKED]
    pipe.load_lora_weights(FAMILY / "lora_lcm", adapter_name="lcm")
    pipe.scheduler = LCMScheduler.from_config(usual.config)
    try:
        pictures = pipe(prompts, num_inference_steps=4, guidance_scale=1.0, generator=source(3), **SHAPE).images
    finally:
        pipe.unload_lora_weights()
        pipe.scheduler = usual
    seen = [colour_of(picture, ground) for picture, (_, ground) in zip(pictures, ASKED, strict=True)]
    assert sum(a == b for a, (b, _) in zip(seen, ASKED, strict=True)) >= 3


def test_edges_are_followed(pipe: Any) -> None:
    import torch
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    from suffice.diffusion.pocket.measure import edge_iou

    control = ControlNetModel.from_pretrained(FAMILY / "controlnet_edge")
    parts = {name: part for name, part in pipe.components.items() if name != "image_encoder"}
    steered = StableDiffusionControlNetPipeline(**parts, controlnet=control, requires_safety_checker=False)
    steered.set_progress_bar_config(disable=True)
    original = draw(Scene("black", (Thing("star", "green", "large", (0.35, 0.6), 0.21),)))
    hint = torch.from_numpy(as_hint(original))[None]
    found = [
        edge_iou(
            steered(
                "a green star on a black background",
                image=hint,
                num_inference_steps=12,
                guidance_scale=3.0,
                controlnet_conditioning_scale=strength,
                generator=source(4),
                **SHAPE,
            ).images[0],
            edges(original),
        )[1]
        for strength in (1.0, 0.0)
    ]
    assert found[0] > 0.5 and found[0] > found[1] + 0.2


def test_inpainting_paints_inside_and_keeps_the_rest(pipe: Any) -> None:
    import torch
    from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel

    wide = UNet2DConditionModel.from_pretrained(FAMILY / "unet_inpaint")
    parts = {**{name: part for name, part in pipe.components.items() if name != "image_encoder"}, "unet": wide}
    painter = StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False)
    painter.set_progress_bar_config(disable=True)
    things = (Thing("circle", "red", "", (0.27, 0.5), 0.15), Thing("square", "yellow", "", (0.73, 0.5), 0.15))
    before = draw(Scene("black", things)).astype(np.float32) / 255
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 4:31] = 1
    after = painter(
        "a blue circle left of a yellow square on a black background",
        image=torch.from_numpy(before).permute(2, 0, 1)[None] * 2 - 1,
        mask_image=torch.from_numpy(mask)[None, None],
        num_inference_steps=15,
        guidance_scale=3.0,
        strength=1.0,
        generator=source(5),
        **SHAPE,
    ).images[0]
    assert colour_of(after * mask[..., None], "black") == "blue"
    assert np.abs(after - before)[:, 32:].mean() < 0.05


@pytest.fixture(scope="module")
def moving_pipe() -> Any:
    from diffusers import AnimateDiffPipeline, MotionAdapter

    loaded = AnimateDiffPipeline.from_pretrained(
        FAMILY, motion_adapter=MotionAdapter.from_pretrained(FAMILY / "motion")
    )
    loaded.set_progress_bar_config(disable=True)
    return loaded


def drift_px(pipe: Any, prompt: str, seed: int) -> tuple[float, float]:
    """How far the ink's middle goes from the first three frames to the last three: right and down, in pixels."""
    options = {**SHAPE, "num_frames": 16, "num_inference_steps": 10, "guidance_scale": 3.0}
    frames = pipe(prompt, generator=source(seed), **options).frames[0]
    middles = [np.argwhere(ink(frame, "black")).mean(0)[::-1] for frame in frames if ink(frame, "black").any()]
    x, y = np.mean(middles[-3:], axis=0) - np.mean(middles[:3], axis=0)
    return float(x), float(y)


def test_clips_move_as_asked(moving_pipe: Any) -> None:
    right = drift_px(moving_pipe, "a red square moving right on a black background", 6)
    up = drift_px(moving_pipe, "a yellow star moving up on a black background", 7)
    assert right[0] > 6 and abs(right[1]) < right[0] / 2
    assert up[1] < -6 and abs(up[0]) < -up[1] / 2


def test_motion_lora_pans(moving_pipe: Any) -> None:
    told = "a white square standing still on a black background"
    before = drift_px(moving_pipe, told, 8)[0]
    moving_pipe.load_lora_weights(FAMILY / "motion_lora_pan_left", adapter_name="pan")
    try:
        after = drift_px(moving_pipe, told, 8)[0]
    finally:
        moving_pipe.unload_lora_weights()
    assert abs(before) < 4 and after > 6
