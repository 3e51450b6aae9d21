"""What a client descends: the gradient, and what pulls beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from suffice.federated.cohort.local import LocalTraining

if TYPE_CHECKING:
    import torch


def pulled(
    name: str,
    gradient: torch.Tensor,
    now: torch.Tensor,
    start: torch.Tensor,
    local: LocalTraining,
    correction: Mapping[str, torch.Tensor] | None,
) -> torch.Tensor:
    """The gradient with everything that is added to it; a term of weight zero costs nothing."""
    if local.weight_decay:
        gradient = gradient + local.weight_decay * now
    if local.proximal_mu:
        gradient = gradient + local.proximal_mu * (now - start)
    return gradient if correction is None else gradient + correction[name]
