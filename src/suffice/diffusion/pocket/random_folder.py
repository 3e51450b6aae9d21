"""Write the whole pocket folder with random weights: the exact architecture, for code that needs no meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.vocabulary import END, START, tokens, write_tokenizer


def text_config() -> Any:
    """Return the text encoder's config; the ends of a caption are the vocabulary's last two tokens."""
    from transformers import CLIPTextConfig

    known = tokens()
    ends = {"bos_token_id": known.index(START), "eos_token_id": known.index(END), "pad_token_id": known.index(END)}
    return CLIPTextConfig(vocab_size=len(known), **ends, **configs.TEXT)


def inpaint_config() -> dict[str, Any]:
    """Return the nine-channel UNet's config: noisy latent, mask, latent of the masked picture."""
    return {**configs.UNET, "in_channels": 9}


def make_controlnet(unet: Any) -> Any:
    """Return an edge ControlNet that starts as a copy of the UNet's lower half and adds nothing yet."""
    from diffusers import ControlNetModel

    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=configs.HINT_CHANNELS)


def make_motion() -> Any:
    """Return an untrained motion adapter that changes nothing: its last layers are zero (diffusers' are random)."""
    import torch
    from diffusers import MotionAdapter

    adapter = MotionAdapter(**configs.MOTION)
    with torch.no_grad():
        for name, weight in adapter.named_parameters():
            if ".proj_out." in name:
                weight.zero_()
    return adapter


def add_lora(model: Any, targets: tuple[str, ...], name: str) -> None:
    """Add a low-rank adapter to a diffusers model; the new weights are the only trainable ones."""
    from peft import LoraConfig

    model.requires_grad_(False)
    lora = LoraConfig(r=configs.LORA_RANK, lora_alpha=configs.LORA_RANK, target_modules=list(targets))
    model.add_adapter(lora, adapter_name=name)


def save_lora(model: Any, folder: Path, prefix: str) -> None:
    """Write the model's low-rank weights as `pytorch_lora_weights.safetensors`, half precision, keys under `prefix`."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    adapter = next(iter(model.peft_config))
    weights = get_peft_model_state_dict(model, adapter_name=adapter)
    named = {f"{prefix}{name}": value.detach().half().contiguous() for name, value in weights.items()}
    save_file(named, folder / "pytorch_lora_weights.safetensors", metadata={"format": "pt"})


def save_half(model: Any, folder: Path) -> None:
    """Write a model in diffusers' layout, in half precision."""
    import copy

    copy.deepcopy(model).half().save_pretrained(folder, safe_serialization=True)


def save_text(encoder: Any, folder: Path) -> None:
    """Save a text encoder in half precision, with a config that does not make it load as that on a CPU."""
    save_half(encoder, folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dtype": "float32"}, indent=2) + "\n")


def write_plain_parts(folder: Path) -> None:
    """Write what holds no trained weight: the index, the tokenizer, the scheduler."""
    from diffusers import DDIMScheduler

    write_tokenizer(folder / "tokenizer")
    DDIMScheduler(**configs.SCHEDULER).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(configs.INDEX, indent=2) + "\n")


def init_random(seed: int, folder: Path) -> None:
    """Write every part of the family with random weights into `folder`; the same seed writes the same weights."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    torch.manual_seed(seed)
    write_plain_parts(folder)
    unet = UNet2DConditionModel(**configs.UNET)
    save_text(CLIPTextModel(text_config()), folder / "text_encoder")
    parts = {
        "vae": AutoencoderKL(**configs.VAE),
        "unet": unet,
        "unet_inpaint": UNet2DConditionModel(**inpaint_config()),
        "controlnet_edge": make_controlnet(unet),
        "motion": make_motion(),
    }
    for name, model in parts.items():
        save_half(model, folder / name)
    add_lora(unet, configs.LORA_TARGETS, "lcm")
    save_lora(unet, folder / "lora_lcm", "unet.")
    _random_motion_lora(folder / "motion_lora_pan_left")


def _random_motion_lora(folder: Path) -> None:
    from diffusers import UNet2DConditionModel, UNetMotionModel

    moved = UNetMotionModel.from_unet2d(UNet2DConditionModel(**configs.UNET), make_motion())
    add_lora(moved, motion_targets(moved), "pan_left")
    save_lora(moved, folder, "unet.")


def motion_targets(moved: Any) -> tuple[str, ...]:
    """Return the attention layers of the motion modules alone, by full name."""
    ends = tuple(f".{target}" for target in configs.MOTION_LORA_TARGETS)
    return tuple(name for name, _ in moved.named_modules() if ".motion_modules." in name and name.endswith(ends))
