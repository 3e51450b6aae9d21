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
        UsageError: torch has no such backend.
    """
    if backend in UNCOMPILED:
        return
    import torch

    known = [*torch._dynamo.list_backends(), *torch._dynamo.list_backends(exclude_tags=())]
    if backend not in known:
        raise UsageError(f"torch cannot compile by {backend!r}{nearest(backend, known)}; usual is inductor")
    torch._dynamo.config.skip_nnmodule_hook_guards = False
    unet.compile_repeated_blocks(backend=backend)
