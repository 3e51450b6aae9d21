"""Stage 2: the text encoder, taught to know what stands where before any picture is made.

A throw-away reader asks each place of a picture (left, right, top, ...) what the caption puts there. The UNet's
cross-attention will ask the same of the same states, so it starts with words whose meaning is already bound together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.sample import scene
from suffice.diffusion.pocket.scene import BACKGROUNDS, COLOURS, KINDS, MOTIONS, SIZES, STILL, Scene, Thing

PLAN = Plan("text", steps=700, rate=2e-3, seed=2, average=0.99)
_BATCH, _SHORT = 96, 32  # no caption is longer than 32 tokens; the encoder is causal, so what follows changes nothing
_SLOTS = ("", "on the left", "on the right", "at the top", "at the bottom", "in the middle")
_STANDS = {
    "left of": ("on the left", "on the right"),
    "right of": ("on the right", "on the left"),
    "above": ("at the top", "at the bottom"),
    "below": ("at the bottom", "at the top"),
    "in a row": ("on the left", "in the middle", "on the right"),
}
_TRAITS = (KINDS, tuple(COLOURS), tuple(SIZES), ("", STILL, *MOTIONS))


def _traits(thing: Thing) -> list[int]:
    said = (thing.kind, thing.colour, thing.size, thing.motion)
    return [1 + options.index(value) for options, value in zip(_TRAITS, said, strict=True)]


def targets(told: Scene) -> list[list[int]]:
    """Return, for each place, the numbers of what stands there (0: nothing) and of the background: int [6, 5]."""
    ground = tuple(BACKGROUNDS).index(told.background)
    rows = [[0, 0, 0, 0, ground] for _ in _SLOTS]
    slots = _STANDS.get(told.relation) or (told.things[0].place,)
    for slot, thing in zip(slots, told.things, strict=True):
        rows[_SLOTS.index(slot)] = [*_traits(thing), ground]
    return rows


def _reader() -> Any:
    import torch

    class Reader(torch.nn.Module):  # type: ignore[misc]
        """Ask each place what stands there: one cross-attention and a linear head a trait."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.asks = torch.nn.Parameter(torch.randn(len(_SLOTS), width) * 0.5)
            self.attend = torch.nn.ModuleList(torch.nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(2))
            sizes = [1 + len(options) for options in _TRAITS] + [len(BACKGROUNDS)]
            self.heads = torch.nn.ModuleList(torch.nn.Linear(width, size) for size in sizes)

        def forward(self, states: Any) -> list[Any]:
            seen = self.asks.expand(len(states), -1, -1)
            for attend in self.attend:
                seen = seen + attend(seen, states, states, need_weights=False)[0]
            return [head(seen) for head in self.heads]

    return Reader(configs.TEXT_WIDTH)


def _loss(both: Any, tokenize: Any, seed: int) -> Any:
    import numpy as np
    import torch

    rng = np.random.default_rng(seed)
    told = [scene(rng) for _ in range(_BATCH)]
    ids = tokenize([caption(one) for one in told])[:, :_SHORT]
    answers = both["reader"](both["encoder"](ids).last_hidden_state)
    wanted = torch.tensor([targets(one) for one in told])
    losses = [
        torch.nn.functional.cross_entropy(a.flatten(0, 1), wanted[..., n].flatten()) for n, a in enumerate(answers)
    ]
    return sum(losses)


def tokenizer(folder: Path) -> Any:
    """Return a function from captions to ids, int64 [n, 77], padded with the end token as CLIP's is."""
    import torch
    from transformers import CLIPTokenizer

    from suffice.diffusion.pocket.vocabulary import write_tokenizer

    write_tokenizer(folder / "tokenizer")
    words = CLIPTokenizer.from_pretrained(folder / "tokenizer")

    def tokenize(captions: list[str]) -> Any:
        return torch.tensor(words(captions, padding="max_length", max_length=configs.TOKENS).input_ids)

    return tokenize


def train(folder: Path) -> Any:
    """Train the text encoder and return it, in float32."""
    import torch
    from transformers import CLIPTextModel

    from suffice.diffusion.pocket.random_folder import text_config

    torch.manual_seed(PLAN.seed)
    both = torch.nn.ModuleDict({"encoder": CLIPTextModel(text_config()), "reader": _reader()})
    with torch.no_grad():  # CLIP starts its embeddings far smaller than a vocabulary this small needs
        for embedding in (both["encoder"].get_input_embeddings(),):
            embedding.weight.mul_(10)
    tokenize = tokenizer(folder)
    fit(PLAN, both, lambda step, _: _loss(both, tokenize, PLAN.seed * 1_000_003 + step), folder)
    return both["encoder"].eval()
