"""Weights held in 8 bits and made larger only while their layer computes."""

from __future__ import annotations

from typing import Any

from suffice.errors import UsageError, nearest

STORAGES = ("", "float8")


def store_in_float8(module: Any, storage: str) -> None:
    """Hold the linear and convolution weights of `module` as ``float8_e4m3fn`` from now on; norms stay as they are.

    Raises:
        UsageError: unknown `storage`.
    """
    if storage not in STORAGES:
        raise UsageError(f"there is no storage {storage!r}{nearest(storage, STORAGES)}: float8, or empty")
    if not storage:
        return
    import torch
    from diffusers.hooks import apply_layerwise_casting

    apply_layerwise_casting(
        module,
        storage_dtype=torch.float8_e4m3fn,
        compute_dtype=next(module.parameters()).dtype,
        skip_modules_pattern=("norm",),
    )


def weight_bytes(module: Any) -> int:
    """Bytes of all weights of `module`."""
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
