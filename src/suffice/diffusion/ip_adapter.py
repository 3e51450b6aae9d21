"""IP-Adapter (arXiv 2308.06721): pictures as prompts, changing over frames, put into a UNet and taken out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suffice.diffusion.clip.source import open_source, resized
from suffice.diffusion.timeline.mix import mix
from suffice.errors import ModelError, UsageError

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.load import Parts
    from suffice.diffusion.timeline.parse import Timeline
    from suffice.diffusion.windows.plan import Window
    from suffice.media.image import Image

_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_SPREAD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


@dataclass(frozen=True)
class IpAdapter:
    """An IP-Adapter.

    Attributes:
        state: its tensors, ``image_proj`` and ``ip_adapter``.
        encoder: CLIPVisionModelWithProjection.
    """

    state: Mapping[str, Mapping[str, torch.Tensor]]
    encoder: Any

    @property
    def sees_patches(self) -> bool:
        """Whether it wants the states of all patches ("plus") and not one vector."""
        return "latents" in self.state["image_proj"]


def load_ip_adapter(path: Path, parts: Parts) -> IpAdapter:
    """The adapter at `path`: a folder with a ``.safetensors`` file and, there or in the checkpoint, ``image_encoder``.

    Raises:
        UsageError: no such folder, or no image encoder.
        ModelError: the file is no IP-Adapter.
    """
    from safetensors.torch import load_file
    from transformers import CLIPVisionModelWithProjection

    from suffice.models.roots import check_readable

    check_readable(str(path), path)
    files = sorted(path.glob("*.safetensors"))
    if not files:
        raise UsageError(f"there is no IP-Adapter in {path}: a folder with a .safetensors file")
    places = [place for place in (path / "image_encoder", parts.folder / "image_encoder") if place.is_dir()]
    if not places:
        raise UsageError(f"the IP-Adapter {path} needs a folder 'image_encoder', there or in {parts.where}")
    encoder = CLIPVisionModelWithProjection.from_pretrained(
        places[0], use_safetensors=True, local_files_only=True, dtype=parts.unet.dtype
    )
    state: dict[str, dict[str, Any]] = {"image_proj": {}, "ip_adapter": {}}
    for key, value in load_file(files[0]).items():
        side, _, name = key.partition(".")
        state.setdefault(side, {})[name] = value.to(parts.device, parts.unet.dtype)
    if not (state["image_proj"] and state["ip_adapter"]):
        raise ModelError(f"{files[0]} is no IP-Adapter: it lacks 'image_proj' or 'ip_adapter'")
    return IpAdapter(state, encoder.requires_grad_(False).eval().to(parts.device))


@contextmanager
def adapted(unet: Any, adapter: IpAdapter | None) -> Iterator[None]:
    """`unet` listening to pictures within the block, and as it was after it."""
    if adapter is None:
        yield
        return
    before = unet.attn_processors, unet.encoder_hid_proj, unet.config.encoder_hid_dim_type
    try:
        unet._load_ip_adapter_weights([adapter.state], low_cpu_mem_usage=False)
        unet.encoder_hid_proj.to(adapter.encoder.device)
        yield
    finally:
        processors, unet.encoder_hid_proj, kind = before
        unet.set_attn_processor(processors)
        unet.register_to_config(encoder_hid_dim_type=kind)


def picture_conditions(adapter: IpAdapter, timeline: Timeline) -> Callable[[Window, bool], list[torch.Tensor]]:
    """What the UNet is told by pictures in a window; the negative side is told of none."""
    import torch

    if timeline.images is None:
        raise UsageError("an IP-Adapter needs pictures: 'image: 0: first.png' in the timeline")
    track = timeline.images
    seen = {where: _look(adapter, [open_source(where).one(0)]) for where in track.values}
    nothing = _look(adapter, None)

    def at(window: Window, negative: bool) -> list[torch.Tensor]:
        if negative:
            return [torch.stack([nothing] * len(window))]
        return [torch.stack([_between(frame) for frame in window])]

    def _between(frame: int) -> torch.Tensor:
        place = track.between(frame, timeline.length, closed=timeline.closed, hold=timeline.hold)
        a, b = (seen[track.values[key]] for key in (place.before, place.after))
        return mix(a, b, place.share, spherical=timeline.travel == "slerp")

    return at


def _look(adapter: IpAdapter, images: Sequence[Image] | None) -> torch.Tensor:
    """``[1, channels]``, or ``[1, patches, channels]``; without a picture, what stands for none."""
    import torch

    side = adapter.encoder.config.image_size
    device, dtype = next(adapter.encoder.parameters()).device, next(adapter.encoder.parameters()).dtype
    pixels = np.zeros((side, side, 3), np.float32) if images is None else _normal(resized(images[0], side, side))
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(device, dtype)
    with torch.no_grad():
        out = adapter.encoder(tensor, output_hidden_states=adapter.sees_patches)
    if adapter.sees_patches:
        return out.hidden_states[-2]
    return torch.zeros_like(out.image_embeds) if images is None else out.image_embeds


def _normal(image: Image) -> np.ndarray[Any, np.dtype[np.float32]]:
    return ((image.astype(np.float32) / 255 - _MEAN) / _SPREAD).astype(np.float32)
