"""A SparseCtrl and the frames it is given, from a folder whose files are named by frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.diffusion.clip.source import PICTURES
from suffice.diffusion.control.hints import View
from suffice.diffusion.control.sparse import SparseControl
from suffice.diffusion.vae import encode_images, to_tensor
from suffice.errors import MediaError, ModelError
from suffice.media.image import Image, decode_image

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.load import Parts

SPARSE = "sparse"


def make_sparse(
    place: str, source: str, parts: Parts, view: View, strengths: Callable[[Any], list[float]]
) -> SparseControl:
    """The SparseCtrl at `place` (a folder or hub id), given the pictures of `source`.

    Args:
        place: where the model is.
        source: a folder of pictures whose names end in the number of their frame, or one picture for frame 0.
        parts: of the checkpoint.
        view: what of a picture of a whole frame is painted on.
        strengths: of a window.
    """
    from diffusers import SparseControlNetModel

    try:
        model = SparseControlNetModel.from_pretrained(place, use_safetensors=True, torch_dtype=parts.unet.dtype)
    except (OSError, ValueError) as error:
        raise ModelError(f"the SparseCtrl {place} cannot be loaded: {' '.join(str(error).split())[:300]}") from None
    model = model.requires_grad_(False).eval().to(parts.device)
    given = {number: _condition(model, view(number, image), parts) for number, image in _frames(source)}
    return SparseControl(model, given, strengths)


def _frames(source: str) -> list[tuple[int, Image]]:
    path = Path(source).expanduser()
    files = [p for p in path.iterdir() if p.suffix.lower() in PICTURES] if path.is_dir() else [path]
    numbered = [(_number(p) if path.is_dir() else 0, decode_image(str(p))) for p in sorted(files)]
    if not numbered:
        raise MediaError(f"the folder {source!r} has no picture")
    return numbered


def _number(path: Path) -> int:
    found = re.search(r"(\d+)$", path.stem)
    if found is None:
        raise MediaError(f"{path.name!r} must end in the number of its frame, as in 'key_12.png'")
    return int(found[1])


def _condition(model: Any, image: Image, parts: Parts) -> torch.Tensor:
    """Latents where the model was trained on them, else the picture from 0 to 1."""
    if model.config.use_simplified_condition_embedding:
        return encode_images(parts.vae, [image])[0, :, 0].to(parts.device)
    return (to_tensor([image])[0] / 2 + 0.5).to(parts.device)
