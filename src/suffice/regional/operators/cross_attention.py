"""Cross-attention over active tiles: the text's keys and values are made once a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.regional.operators.self_attention import attended

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Frame


def cross_attention(module: Any, frame: Frame, layer: str, states: Tensor, text: Tensor) -> Tensor:
    """`states` ``[b·active, t·t, c]`` (or ``[b, tokens, c]``) attended to `text` ``[b, words, d]``."""
    key, value = _of_text(module, frame, layer, text)
    query = module.to_q(states.reshape(frame.batch, -1, states.shape[-1]))
    if frame.recorder is not None:
        frame.recorder.record(module, query, key)
    return attended(module, query, key, value).reshape(states.shape)


def _of_text(module: Any, frame: Frame, layer: str, text: Tensor) -> tuple[Tensor, Tensor]:
    kept = frame.cache.tensors
    if f"{layer}.text_key" not in kept:
        kept[f"{layer}.text_key"] = module.to_k(text)
        kept[f"{layer}.text_value"] = module.to_v(text)
    return kept[f"{layer}.text_key"], kept[f"{layer}.text_value"]
