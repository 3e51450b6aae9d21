"""Self-attention over active tiles: their queries against the keys and values of every tile, kept where not new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Frame
    from suffice.regional.tiles import TileGrid


def self_attention(module: Any, frame: Frame, layer: str, states: Tensor) -> Tensor:
    """`states` ``[b·active, t·t, c]`` (or ``[b, tokens, c]`` in a dense pass) attended to all tokens."""
    key, value = module.to_k(states), module.to_v(states)
    if frame.active is None:
        grid = frame.grid.of_tokens(states.shape[1])
        frame.cache.tensors[f"{layer}.key"] = by_tile(key, grid)
        frame.cache.tensors[f"{layer}.value"] = by_tile(value, grid)
        return attended(module, module.to_q(states), key, value)
    return _sparse(module, frame, layer, states, key, value)


def _sparse(module: Any, frame: Frame, layer: str, states: Tensor, key: Tensor, value: Tensor) -> Tensor:
    whole = (frame.batch, frame.grid.count, *key.shape[1:])
    keys, values = frame.kept(f"{layer}.key", whole, key), frame.kept(f"{layer}.value", whole, value)
    shape = (frame.batch, frame.active_count, *key.shape[1:])
    keys[:, frame.active] = key.reshape(shape)
    values[:, frame.active] = value.reshape(shape)
    frame.exchange.tokens(layer, keys, values)
    query = module.to_q(states.reshape(frame.batch, -1, states.shape[-1]))
    return attended(module, query, keys.flatten(1, 2), values.flatten(1, 2)).reshape(states.shape)


def by_tile(tokens: Tensor, grid: TileGrid) -> Tensor:
    """Tokens in rows of the map ``[b, h·w, c]`` as ``[b, tiles, t·t, c]``."""
    batch, _, channels = tokens.shape
    split = tokens.reshape(batch, grid.rows, grid.tile, grid.columns, grid.tile, channels)
    return split.transpose(2, 3).reshape(batch, grid.count, grid.tile**2, channels)


def attended(module: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention through `module`'s heads and its output projection: ``[b, queries, c]``."""
    from torch.nn import functional

    heads = [_heads(module, one) for one in (query, key, value)]
    if module.norm_q is not None:
        heads[0] = module.norm_q(heads[0])
    if module.norm_k is not None:
        heads[1] = module.norm_k(heads[1])
    mixed = functional.scaled_dot_product_attention(*heads)
    out = module.to_out[0](mixed.transpose(1, 2).flatten(2).to(query.dtype))
    return out / module.rescale_output_factor


def _heads(module: Any, tokens: Tensor) -> Tensor:
    return tokens.unflatten(-1, (module.heads, -1)).transpose(1, 2)
