"""``torch.compile`` for what a UNet does most: dear once, cheaper from then on."""

from __future__ import annotations

from typing import Any

from suffice.errors import UsageError, nearest

UNCOMPILED = ("", "none")


def compile_blocks(unet: Any, backend: str) -> None:
    """Compile the transformer blocks of `unet`, one for all of a kind, by `backend` of torch (``inductor``, …).

    Motion modules stay outside: their hooks are around these blocks, not in them. LoRAs hook into them, so hooks are
    among what torch checks before it runs what it compiled.

    Raises:
        UsageError: torch has no such backend, or it would need a C++ compiler and there is none.
    """
    if backend in UNCOMPILED:
        return
    import torch

    known = [*torch._dynamo.list_backends(), *torch._dynamo.list_backends(exclude_tags=())]
    if backend not in known:
        raise UsageError(f"torch cannot compile by {backend!r}{nearest(backend, known)}; usual is inductor")
    if backend == "inductor" and next(unet.parameters()).device.type == "cpu":
        _check_compiler()
    torch._dynamo.config.skip_nnmodule_hook_guards = False
    unet.compile_repeated_blocks(backend=backend)


def _check_compiler() -> None:
    """On a CPU inductor writes C++; without a compiler it would fail only at the first step."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise UsageError(
            "inductor needs a C++ compiler on a CPU, and there is none: install g++, or leave it"
        ) from None
