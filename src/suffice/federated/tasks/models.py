"""Small models by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.errors import UsageError, nearest
from suffice.federated.tasks.card import ModelCard

if TYPE_CHECKING:
    import torch

MODELS = ("linear", "logistic", "mlp", "cnn", "cnn_batchnorm")


def build_model(card: ModelCard, seed: int) -> torch.nn.Module:
    """The model `card` describes, initialised from `seed`."""
    return make_model(card.kind, card.inputs, card.classes, seed)


def make_model(name: str, inputs: int, classes: int, seed: int) -> torch.nn.Module:
    """`name` with `inputs` features (a square picture for the cnn) and `classes` logits, initialised from `seed`."""
    import torch

    if name not in MODELS:
        raise UsageError(f"model {name!r} is not known{nearest(name, MODELS)}: {', '.join(MODELS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(*_layers(name, inputs, classes))


def _layers(name: str, inputs: int, classes: int) -> list[torch.nn.Module]:
    from torch import nn

    if name == "linear":
        flat = nn.Linear(inputs, classes, bias=False)
        nn.init.zeros_(flat.weight)
        return [flat]
    if name == "logistic":
        return [nn.Linear(inputs, classes)]
    if name == "mlp":
        return [nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, classes)]
    side = round(inputs**0.5)
    norm = [nn.BatchNorm2d(8)] if name == "cnn_batchnorm" else []
    head = [nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * (side // 2) ** 2, classes)]
    return [nn.Unflatten(1, (1, side, side)), nn.Conv2d(1, 8, 3, padding=1), *norm, *head]
