"""Motion modules over active tiles: for them the tiles of a frame lie side by side, as one low and wide map.

A motion module attends along time, each cell for itself, so its attention is right on any cells; a tile runs in all
frames of a clip, so nothing of it need be kept. Its first norm sees the whole frame (as AnimateDiff trained it), or all
frames together (as diffusers runs it), and takes the moments of the tiles that rest from the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suffice.regional.operators.group_norm import dense_moments, group_norm, merged, normalised, renewed_moments

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Frame, Stage

Hook = Callable[[Any, Any, Any], Any]


def side_by_side(tiles: Tensor, frame: Frame) -> Tensor:
    """``[b·active, c, t, t]`` as ``[b, c, t, active·t]``."""
    return tiles.unflatten(0, (frame.batch, -1)).permute(0, 2, 3, 1, 4).flatten(3)


def apart(maps: Tensor, frame: Frame) -> Tensor:
    """The reverse of :func:`side_by_side`."""
    return maps.unflatten(3, (frame.active_count, -1)).permute(0, 3, 1, 2, 4).flatten(0, 1)


def side_by_side_hook(stage: Stage) -> Hook:
    """To run before the motion layer's own hook."""
    return _hook(stage, side_by_side)


def apart_hook(stage: Stage) -> Hook:
    """To run after it."""
    return _hook(stage, apart)


def _hook(stage: Stage, arranged: Callable[[Tensor, Frame], Tensor]) -> Hook:
    def hook(_module: Any, _inputs: Any, output: Any) -> Any:
        frame = stage.frame
        if frame is None or frame.active is None:
            return None
        if isinstance(output, tuple):
            return (arranged(output[0], frame), *output[1:])
        return arranged(output, frame)

    return hook


def motion_norm(module: Any, frame: Frame, layer: str, states: Tensor) -> Tensor:
    """`states` ``[b, c, h, w]``, each frame alone, or ``[clips, c, frames, h, w]``, the frames of a clip together."""
    if states.ndim == 5:
        return _over_frames(module, frame, layer, states)
    if frame.active is None:
        return group_norm(module, frame, layer, states)
    return side_by_side(group_norm(module, frame, layer, apart(states, frame)), frame)


def _over_frames(module: Any, frame: Frame, layer: str, states: Tensor) -> Tensor:
    clips, _, frames = states.shape[:3]
    maps = states.transpose(1, 2).flatten(0, 1)
    if frame.active is None:
        frame.cache.tensors[layer] = dense_moments(maps, frame.grid.scaled(maps.shape[2]), module.num_groups)
        return type(module).forward(module, states)
    tiles = apart(maps, frame)
    table = renewed_moments(module, frame, layer, tiles).reshape(clips, -1, module.num_groups, 2)
    mean, variance = merged(table, tiles[0].numel() // module.num_groups)
    mean, variance = (one.repeat_interleave(frames, 0) for one in (mean, variance))
    normed = side_by_side(normalised(module, tiles, mean, variance), frame)
    return normed.unflatten(0, (clips, frames)).transpose(1, 2)
