"""Write the trained parts as one folder in diffusers' layout, half precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs, trained
from suffice.diffusion.pocket.random_folder import (
    add_lora,
    make_controlnet,
    make_motion,
    motion_targets,
    save_half,
    save_lora,
    save_text,
    write_plain_parts,
)


def _controlnet(work: Path) -> Any:
    control = make_controlnet(trained.unet(work))
    control.load_state_dict(trained.averaged(work, "controlnet"))
    return control


def _inpaint(work: Path) -> Any:
    from suffice.diffusion.pocket.stages.inpaint import widened

    wide = widened(trained.unet(work))
    wide.load_state_dict(trained.averaged(work, "inpaint"))
    return wide


def _motion(work: Path) -> Any:
    adapter = make_motion()
    weights = trained.averaged(work, "moves")
    adapter.load_state_dict({name: weights[name] for name in adapter.state_dict() if name in weights}, strict=False)
    return adapter


def _save_lcm(work: Path, folder: Path) -> None:
    model = trained.unet(work)
    add_lora(model, configs.LORA_TARGETS, "lcm")
    model.load_state_dict(trained.averaged(work, "lcm"), strict=False)
    save_lora(model, folder, "unet.")


def _save_pan(work: Path, folder: Path) -> None:
    moved = trained.motion_unet(work)
    add_lora(moved, motion_targets(moved), "pan_left")
    moved.load_state_dict(trained.averaged(work, "motion_lora"), strict=False)
    save_lora(moved, folder, "unet.")


PARTS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {
    "vae": ("vae", lambda work, folder: save_half(trained.vae(work), folder)),
    "text_encoder": ("text", lambda work, folder: save_text(trained.text_encoder(work)[0], folder)),
    "unet": ("unet", lambda work, folder: save_half(trained.unet(work), folder)),
    "motion": ("moves", lambda work, folder: save_half(_motion(work), folder)),
    "controlnet_edge": ("controlnet", lambda work, folder: save_half(_controlnet(work), folder)),
    "unet_inpaint": ("inpaint", lambda work, folder: save_half(_inpaint(work), folder)),
    "lora_lcm": ("lcm", _save_lcm),
    "motion_lora_pan_left": ("motion_lora", _save_pan),
}


def assemble(work: Path, folder: Path) -> list[str]:
    """Write every part whose stage has been trained, and return the names of those that have not been."""
    folder.mkdir(parents=True, exist_ok=True)
    write_plain_parts(folder)
    lacking = []
    for part, (stage, save) in PARTS.items():
        if (work / f"{stage}.pt").exists():
            save(work, folder / part)
        else:
            lacking.append(part)
    return lacking
