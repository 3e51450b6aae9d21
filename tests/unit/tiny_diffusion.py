"""A diffusion checkpoint of a few thousand random weights, in the diffusers layout, with all that may lie beside it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

CHANNELS = (16, 16)
TEXT = 16


@cache
def tiny_checkpoint(family: str = "sd15") -> Path:
    """The folder of a checkpoint; written once a process."""
    import torch

    torch.set_num_threads(1)
    folder = Path(mkdtemp(prefix="tiny-diffusion-"))
    torch.manual_seed(0)
    index: dict[str, Any] = {"_class_name": "StableDiffusionPipeline"}
    for number in range(2 if family == "sdxl" else 1):
        suffix = "_2" if number else ""
        _tokenizer(folder / f"tokenizer{suffix}")
        kind = "CLIPTextModelWithProjection" if number else "CLIPTextModel"
        _text_encoder(kind).save_pretrained(folder / f"text_encoder{suffix}")
        index[f"text_encoder{suffix}"] = ["transformers", kind]
    _vae().save_pretrained(folder / "vae")
    tiny_unet(family).save_pretrained(folder / "unet")
    _scheduler().save_pretrained(folder / "scheduler")
    tiny_adapter().save_pretrained(folder / "motion")
    tiny_unet(family, in_channels=9).save_pretrained(folder / "unet_inpaint")
    tiny_controlnet().save_pretrained(folder / "controlnet_edge")
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _tokenizer(folder: Path) -> None:
    from transformers import CLIPTokenizer

    folder.mkdir()
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters = [*map(chr, letters), *(chr(256 + n) for n in range(256 - len(letters)))]
    vocab = [*characters, *(c + "</w>" for c in characters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: n for n, token in enumerate(vocab)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77).save_pretrained(folder)


def _text_encoder(kind: str) -> Any:
    import transformers

    config = transformers.CLIPTextConfig(
        vocab_size=514,
        hidden_size=TEXT,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        projection_dim=TEXT,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    return getattr(transformers, kind)(config)


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=2,
        scaling_factor=0.5,
    )


def tiny_unet(family: str = "sd15", in_channels: int = 4) -> Any:
    from diffusers import UNet2DConditionModel

    more: dict[str, Any] = {"cross_attention_dim": TEXT}
    if family == "sdxl":
        more = {
            "cross_attention_dim": 2 * TEXT,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + TEXT,
        }
    return UNet2DConditionModel(
        sample_size=4,
        in_channels=in_channels,
        layers_per_block=1,
        block_out_channels=CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=2,
        norm_num_groups=4,
        **more,
    )


def tiny_adapter(**more: Any) -> Any:
    """A MotionAdapter whose last layers are not zero, so that it does something."""
    from diffusers import MotionAdapter

    adapter = MotionAdapter(
        block_out_channels=CHANNELS,
        motion_layers_per_block=1,
        motion_norm_num_groups=4,
        motion_num_attention_heads=2,
        **more,
    )
    return adapter


def tiny_controlnet() -> Any:
    import torch
    from diffusers import ControlNetModel

    net = ControlNetModel(
        layers_per_block=1,
        block_out_channels=CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        cross_attention_dim=TEXT,
        attention_head_dim=2,
        norm_num_groups=4,
        conditioning_embedding_out_channels=(8, 8, 8),
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return net


def _scheduler() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1
    )
