"""Prompts to the states that cross-attention reads.

Every prompt of one run, positive and negative, is encoded in the same number of chunks, so the two halves of
classifier-free guidance always have one length; a prompt above 75 tokens only makes all of them longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.diffusion.prompts.tokens import Tokens, in_chunks, tokenize
from suffice.errors import UsageError

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.load import Parts


@dataclass(frozen=True)
class Embedding:
    """What a UNet is told by a prompt.

    Attributes:
        states: ``[tokens, channels]``.
        pooled: ``[channels]`` for SDXL, else None.
    """

    states: torch.Tensor
    pooled: torch.Tensor | None


def encode_prompts(parts: Parts, prompts: Sequence[str], *, clip_skip: int = 0) -> dict[str, Embedding]:
    """Embed each distinct prompt, all in the same number of chunks.

    Args:
        parts: whose text encoders to use.
        prompts: texts with or without weights.
        clip_skip: how many of the encoder's last layers to leave out.

    Raises:
        UsageError: `clip_skip` leaves no layer.
    """
    distinct = list(dict.fromkeys(prompts))
    sides = [
        _encode_all(tokenizer, encoder, distinct, clip_skip, penultimate=parts.family == "sdxl")
        for tokenizer, encoder in zip(parts.tokenizers, parts.text_encoders, strict=True)
    ]
    return {prompt: _join([side[number] for side in sides], parts) for number, prompt in enumerate(distinct)}


def _join(sides: Sequence[Embedding], parts: Parts) -> Embedding:
    import torch

    states = torch.cat([side.states for side in sides], dim=-1).to(parts.unet.dtype)
    return Embedding(states, sides[-1].pooled if parts.family == "sdxl" else None)


def _encode_all(
    tokenizer: Any, encoder: Any, prompts: Sequence[str], clip_skip: int, *, penultimate: bool
) -> list[Embedding]:
    tokens = [tokenize(tokenizer, prompt) for prompt in prompts]
    chunks = max(each.chunks(tokenizer.model_max_length - 2) for each in tokens)
    return [_encode(tokenizer, encoder, each, chunks, clip_skip, penultimate=penultimate) for each in tokens]


def _encode(
    tokenizer: Any, encoder: Any, tokens: Tokens, chunks: int, clip_skip: int, *, penultimate: bool
) -> Embedding:
    import torch

    ids, weights = in_chunks(tokenizer, tokens, chunks)
    device = next(encoder.parameters()).device
    with torch.no_grad():
        out = encoder(torch.tensor(ids, device=device), output_hidden_states=True)
    states = _layer(encoder, out, clip_skip, penultimate=penultimate)
    states = _weigh(states, torch.tensor(weights, device=states.device, dtype=states.dtype))
    pooled = getattr(out, "text_embeds", None)
    return Embedding(states.reshape(-1, states.shape[-1]), None if pooled is None else pooled[0])


def _layer(encoder: Any, out: Any, clip_skip: int, *, penultimate: bool) -> torch.Tensor:
    layers = len(out.hidden_states) - 1
    if not 0 <= clip_skip < layers - penultimate:
        raise UsageError(f"clip skip {clip_skip} leaves no layer: this text encoder has {layers}")
    if penultimate:
        return out.hidden_states[-(clip_skip + 2)]
    if clip_skip == 0:
        return out[0]
    return _final_norm(encoder)(out.hidden_states[-(clip_skip + 1)])


def _final_norm(encoder: Any) -> Any:
    return getattr(encoder, "text_model", encoder).final_layer_norm


def _weigh(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Scale each token, then all of them so that the mean stays: else a weight would also change the brightness."""
    if bool((weights == 1).all()):
        return states
    weighted = states * weights[..., None]
    return weighted * (states.float().mean() / weighted.float().mean()).to(states.dtype)
