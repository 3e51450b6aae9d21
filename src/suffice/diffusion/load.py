"""The parts of a diffusion checkpoint in the diffusers layout: the packaged one, a folder, or a hub id."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from suffice.diffusion.memory.offload import offload
from suffice.errors import ModelError, UsageError, nearest

if TYPE_CHECKING:
    import torch

Family = Literal["sd15", "sdxl"]
POCKET = "pocket"
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors")
_SLOTS = ("tokenizer", "text_encoder", "vae", "unet", "scheduler")


@dataclass
class Parts:
    """A loaded checkpoint.

    Attributes:
        where: its name as the user wrote it.
        folder: where it lies; further parts (``motion``, ``controlnet_edge`` …) may lie beside the usual ones.
        family: ``sdxl`` when the UNet wants pooled text and sizes besides the tokens' states, else ``sd15``.
        tokenizers: one, or two for SDXL, each with its text encoder at the same place in `text_encoders`.
        vae: AutoencoderKL.
        unet: UNet2DConditionModel.
        scheduler: as the checkpoint has it; see :mod:`suffice.diffusion.schedulers` for another.
        computes_on: the device, where weights lie elsewhere (:mod:`suffice.diffusion.memory.offload`).
    """

    where: str
    folder: Path
    family: Family
    tokenizers: tuple[Any, ...]
    text_encoders: tuple[Any, ...]
    vae: Any
    unet: Any
    scheduler: Any
    computes_on: torch.device | None = None

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.computes_on or next(self.unet.parameters()).device

    @property
    def home(self) -> torch.device:
        """Where its weights lie while nothing computes."""
        device: torch.device = next(self.unet.parameters()).device
        return device

    @property
    def latent_scale(self) -> int:
        """Pixels of a latent's side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def side_px(self) -> int:
        """The side of the pictures this checkpoint was trained on."""
        size = self.unet.config.sample_size
        return int(size if isinstance(size, int) else size[0]) * self.latent_scale

    def names(self) -> list[str]:
        """The folders of the checkpoint."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())

    def extra(self, name: str) -> Path:
        """The folder of a further part; :class:`UsageError` with the nearest name when there is none."""
        path = self.folder / name
        if not path.is_dir():
            raise UsageError(f"{self.where} has no part {name!r}{nearest(name, self.names())}")
        return path


def load_parts(model: str, *, device: str | None = None, dtype: str | None = None, offloaded: bool = False) -> Parts:
    """Load the checkpoint `model`.

    Args:
        model: ``pocket`` (ships with the package), a folder in the diffusers layout, one ``.safetensors`` file
            of Stable Diffusion 1.5 or XL, or ``owner/name`` on the hub.
        device: ``cpu``, ``cuda``, …; by default CUDA where there is one.
        dtype: ``float32``, ``float16`` or ``bfloat16``; by default float16 on CUDA, else float32.
        offloaded: leave weights in main memory; each part comes to the device while it computes.

    Raises:
        UsageError: no such checkpoint, or not one in this layout (the message says which part is missing).
        ModelError: the hub cannot give it, or a file is damaged.
    """
    import torch

    _quiet()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    number = getattr(torch, dtype or ("float16" if device.startswith("cuda") else "float32"))
    path = Path(model).expanduser()
    if model != POCKET and path.is_file():
        parts = _load_single_file(model, path, number)
    else:
        parts = _load_folder(model, find_folder(model), number)
    modules = (*parts.text_encoders, parts.vae, parts.unet)
    for module in modules:
        module.requires_grad_(False).eval().to("cpu" if offloaded else device)
    if offloaded and device == "cpu":
        warnings.warn("offload does nothing on cpu: the weights are in main memory already", stacklevel=2)
    elif offloaded:
        parts.computes_on = torch.device(device)
        offload(modules, parts.computes_on)
    return parts


def _quiet() -> None:
    """Progress of loading a file is nobody's concern, and it would run into our own."""
    import diffusers
    import transformers

    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()


def find_folder(model: str) -> Path:
    """Where the checkpoint `model` lies, fetched from the hub if need be; nothing is loaded."""
    from suffice.assets import asset_path
    from suffice.models.roots import check_readable

    path = asset_path(POCKET) if model == POCKET else Path(model).expanduser()
    if model != POCKET and (path.exists() or model.startswith((".", "/", "~"))):
        check_readable(model, path)
    if path.is_dir():
        return path.resolve()
    if model == POCKET:
        raise ModelError("the packaged weights 'pocket' are not in this installation")
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise UsageError(f"there is no checkpoint {model!r}{_near(path)}: a folder, owner/name of the hub, or 'pocket'")
    return _fetch(model)


def _near(path: Path) -> str:
    folder = path.parent
    return nearest(path.name, [POCKET, *(each.name for each in folder.iterdir())]) if folder.is_dir() else ""


def _fetch(repo: str) -> Path:
    from huggingface_hub import snapshot_download

    repo, _, revision = repo.partition("@")
    try:
        return Path(snapshot_download(repo, revision=revision or None, allow_patterns=list(_WANTED)))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"the hub cannot give {repo!r}: {reason}") from None


def _load_folder(where: str, folder: Path, dtype: torch.dtype) -> Parts:
    index = _read_index(where, folder)
    missing = [name for name in _SLOTS if not (folder / name).is_dir()]
    if missing:
        raise UsageError(f"{where} has no folder {missing[0]!r}, so it is not a checkpoint in the diffusers layout")
    from diffusers import AutoencoderKL, UNet2DConditionModel

    with _damage_is_an_error(where):
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **_weights(dtype))
        return Parts(
            where,
            folder,
            family_of(unet),
            *_load_text(folder, index, dtype),
            AutoencoderKL.from_pretrained(folder, subfolder="vae", **_weights(dtype)),
            unet,
            _load_scheduler(folder, index),
        )


def family_of(unet: Any) -> Family:
    """Which family a UNet is of, by what it wants to be told besides the prompt."""
    return "sdxl" if unet.config.get("addition_embed_type") == "text_time" else "sd15"


def _weights(dtype: torch.dtype) -> dict[str, Any]:
    return {"torch_dtype": dtype, "use_safetensors": True, "local_files_only": True, "low_cpu_mem_usage": False}


def _read_index(where: str, folder: Path) -> dict[str, Any]:
    path = folder / "model_index.json"
    if not path.is_file():
        raise UsageError(f"{where} has no model_index.json, so it is not a checkpoint in the diffusers layout")
    return dict(json.loads(path.read_text("utf-8")))


def _load_text(folder: Path, index: dict[str, Any], dtype: torch.dtype) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    kinds = {"CLIPTextModelWithProjection": CLIPTextModelWithProjection}
    names = [n for n in ("text_encoder", "text_encoder_2") if (folder / n).is_dir()]
    places = [name.replace("text_encoder", "tokenizer") for name in names]
    encoders = [
        kinds.get((index.get(name) or [None, ""])[1], CLIPTextModel).from_pretrained(
            folder, subfolder=name, dtype=dtype, use_safetensors=True, local_files_only=True
        )
        for name in names
    ]
    load = partial(CLIPTokenizer.from_pretrained, local_files_only=True)
    return tuple(load(str(folder / place)) for place in places), tuple(encoders)


def _load_scheduler(folder: Path, index: dict[str, Any]) -> Any:
    import diffusers

    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    name = config.get("_class_name") or (index.get("scheduler") or ["", "DDIMScheduler"])[1]
    return getattr(diffusers, name).from_config(config)


def _load_single_file(where: str, path: Path, dtype: torch.dtype) -> Parts:
    """A checkpoint in one file, by diffusers' converter; its tokenizer and configuration come from the hub's cache."""
    from suffice.models.roots import check_readable

    check_readable(where, path)
    if path.suffix != ".safetensors":
        raise UsageError(f"{where}: only .safetensors files are read (a pickle can run code when it is loaded)")
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
    from safetensors import safe_open

    with _damage_is_an_error(where):
        with safe_open(path, "pt") as file:
            second = any(key.startswith("conditioner.embedders.1.") for key in file.keys())  # noqa: SIM118
        pipeline = (StableDiffusionXLPipeline if second else StableDiffusionPipeline).from_single_file(
            str(path), torch_dtype=dtype, safety_checker=None
        )
    parts = pipeline.components
    names = [n for n in ("text_encoder", "text_encoder_2") if parts.get(n) is not None]
    return Parts(
        where,
        path.parent,
        family_of(pipeline.unet),
        tuple(parts[name.replace("text_encoder", "tokenizer")] for name in names),
        tuple(parts[name] for name in names),
        pipeline.vae,
        pipeline.unet,
        pipeline.scheduler,
    )


@contextmanager
def _damage_is_an_error(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{where} cannot be loaded: {reason}") from error
