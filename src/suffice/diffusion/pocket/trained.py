"""Models as the finished stages left them in the work folder: averaged weights, float32, ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs


def averaged(folder: Path, stage: str) -> dict[str, Any]:
    """Return the averaged weights of a stage's checkpoint."""
    import torch

    kept = torch.load(folder / f"{stage}.pt", weights_only=True, map_location=torch.get_default_device())
    weights: dict[str, Any] = kept["average"]
    return weights


def _level(vae: Any) -> None:
    """Fold the latents' mean and spread into the 1 by 1 layers beside them, so each channel has mean 0 and spread 1."""
    import torch

    from suffice.diffusion.pocket.data import as_pixels, scenes

    with torch.no_grad():
        seen = vae.encode(as_pixels(scenes(400, seed=12)).float()).latent_dist.mean
        mean, spread = seen.mean((0, 2, 3)), seen.std((0, 2, 3))
        into, back = vae.quant_conv, vae.post_quant_conv
        into.bias[:4] -= mean
        into.bias[:4] /= spread
        into.weight[:4] /= spread[:, None, None, None]
        into.bias[4:] -= 2 * spread.log()  # the log of a variance
        back.bias += back.weight[:, :, 0, 0] @ mean
        back.weight *= spread[None, :, None, None]


def vae(folder: Path) -> Any:
    """Return the autoencoder with levelled latents (scaling factor 1)."""
    from diffusers import AutoencoderKL

    model = AutoencoderKL(**configs.VAE)
    model.load_state_dict(averaged(folder, "vae"))
    _level(model)
    return model.eval().requires_grad_(False)


def text_encoder(folder: Path) -> tuple[Any, Any]:
    """Return the text encoder and its tokenizer (captions to ids)."""
    from transformers import CLIPTextModel

    from suffice.diffusion.pocket.random_folder import text_config
    from suffice.diffusion.pocket.stages.text import tokenizer

    prefix = "encoder."
    weights = {name.removeprefix(prefix): w for name, w in averaged(folder, "text").items() if name.startswith(prefix)}
    model = CLIPTextModel(text_config())
    lacking = [name for name in model.load_state_dict(weights, strict=False).missing_keys if "position_ids" not in name]
    assert not lacking, lacking
    return model.eval().requires_grad_(False), tokenizer(folder)


def unet(folder: Path, stage: str = "motion") -> Any:
    """Return the text-to-picture UNet as `stage` left it: the joint training with the motion adapter is its last."""
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(**configs.UNET)
    weights = averaged(folder, stage)
    model.load_state_dict({name: weights[name] for name in model.state_dict()})
    return model.eval().requires_grad_(False)


def motion_unet(folder: Path, stage: str = "moves") -> Any:
    """Return the UNet with the motion adapter as `stage` left it (a diffusers UNetMotionModel)."""
    from diffusers import UNetMotionModel

    from suffice.diffusion.pocket.random_folder import make_motion

    moved = UNetMotionModel.from_unet2d(unet(folder), make_motion())
    moved.load_state_dict(averaged(folder, stage), strict=False)
    return moved.eval().requires_grad_(False)
