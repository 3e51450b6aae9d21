"""Loads the parts of a checkpoint with transformers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.errors import ModelError, UsageError
from suffice.models.huggingface.checkpoint import Checkpoint
from suffice.models.huggingface.float_processor import FLOAT_PROCESSORS, FloatProcessor
from suffice.models.huggingface.hf_settings import HuggingFaceSettings
from suffice.models.shared import shared


@dataclass(frozen=True)
class Pretrained:
    """A network on its device."""

    network: Any
    device: str
    dtype: Any

    def tensors(self, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
        """`arrays` on the device, floating ones in the network's dtype."""
        import torch

        moved = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}
        return {
            name: value.to(self.device, self.dtype if value.is_floating_point() else None)
            for name, value in moved.items()
        }


def load_network(checkpoint: Checkpoint, settings: HuggingFaceSettings, auto_class: str) -> Pretrained:
    """The network as transformers' `auto_class` makes it, for inference. Pickled code is never run.

    Raises:
        ModelError: it cannot be loaded, or weights that matter are not in the checkpoint (transformers would
            draw them at random).
    """
    torch, _ = import_torch(checkpoint.where)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if settings.device == "auto" else settings.device
    dtype = getattr(torch, settings.dtype)
    key = (checkpoint.folder, checkpoint.version, auto_class, device, dtype)
    return shared(key, lambda: _load(checkpoint, auto_class, device, dtype))


def _load(checkpoint: Checkpoint, auto_class: str, device: str, dtype: Any) -> Pretrained:
    _, transformers = import_torch(checkpoint.where)
    folder = checkpoint.folder_with_weights()
    with _one_line_errors(checkpoint.where), _quiet(transformers):
        network, info = getattr(transformers, auto_class).from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
        )
        network.eval().requires_grad_(False).to(device)
    # No task reads the pooler, which checkpoints without one leave out.
    missing = sorted(name for name in info["missing_keys"] if "pooler" not in name)
    if missing:
        raise ModelError(f"{checkpoint.where} has no weights for {missing[0]} and {len(missing) - 1} more")
    return Pretrained(network, device, dtype)


def load_image_processor(checkpoint: Checkpoint) -> Any:
    """The image processor in its Pillow form, as torchvision is not used here; our own where it has none."""
    _, transformers = import_torch(checkpoint.where)
    kind = str(checkpoint.read_json("preprocessor_config.json").get("image_processor_type", "")).removesuffix("Fast")
    if kind in FLOAT_PROCESSORS:
        return FloatProcessor(checkpoint, kind)
    with _one_line_errors(checkpoint.where), _quiet(transformers):
        return transformers.AutoImageProcessor.from_pretrained(checkpoint.folder, backend="pil", local_files_only=True)


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer."""
    _, transformers = import_torch(checkpoint.where)
    with _one_line_errors(checkpoint.where), _quiet(transformers):
        return transformers.AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)


def import_torch(where: str) -> tuple[Any, Any]:
    """torch and transformers; raises :class:`UsageError` where the extra is not installed."""
    try:
        import torch
        import transformers
    except ImportError:
        raise UsageError(f"{where} needs the extra 'torch': pip install 'suffice[torch]'") from None
    return torch, transformers


@contextlib.contextmanager
def _one_line_errors(where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ModelError(f"{where} cannot be loaded: {lines[0]}") from error


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    logging = transformers.utils.logging
    before, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if had_bar:
            logging.enable_progress_bar()
