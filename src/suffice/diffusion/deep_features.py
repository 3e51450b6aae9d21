"""Deep features of a UNet taken again for some steps (DeepCache, arXiv 2312.00858).

From one step to the next the deep blocks answer nearly the same. So only every k-th step runs the whole UNet; the steps
between run its first and its last block, on what the deep blocks said last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.denoise import Windows
    from suffice.diffusion.windows.plan import Window


@dataclass(frozen=True)
class HeldPlan:
    """A plan whose windows move at every `every`-th step only, so that features are those of the window asked for."""

    plan: Windows
    every: int

    def at(self, step: int) -> Sequence[Window]:
        """The windows of the last step that ran the whole UNet."""
        return self.plan.at(step - step % self.every)


class DeepFeatures:
    """What the deep blocks said, for each window; says to each call of the UNet whether they are asked again."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.kept: dict[Any, torch.Tensor] = {}
        self.key: Any = None
        self._asked: set[Any] = set()
        self._step, self._progress = 0, -1.0

    def turn(self, progress: float, key: Any) -> None:
        """The next call is of the step that has `progress` behind it, for the window and sides that `key` names."""
        if progress < self._progress or (progress == self._progress and key in self._asked):
            self._progress = -1.0  # another pass over the steps has begun
        if progress != self._progress:
            self._step = 0 if self._progress < 0 else self._step + 1
            self._progress = progress
            self._asked.clear()
            if self._step % self.every == 0:
                self.kept.clear()
        self._asked.add(key)
        self.key = key

    @property
    def again(self) -> bool:
        """Whether the deep blocks are passed over in this call."""
        return self.key in self.kept

    def remember(self, states: torch.Tensor) -> None:
        """Keep the answer of the last deep block, unless this is no call of a run."""
        if self.key is not None:
            self.kept[self.key] = states


@contextmanager
def deep_features(unet: Any, every: int) -> Iterator[DeepFeatures | None]:
    """The deep blocks of `unet` answering from memory for as long as the block lasts; nothing when `every` is 1.

    Raises:
        UsageError: the UNet has no deep blocks.
    """
    if every == 1:
        yield None
        return
    blocks = [*unet.down_blocks[1:], *([unet.mid_block] if unet.mid_block is not None else []), *unet.up_blocks[:-1]]
    if len(unet.up_blocks) < 2:
        raise UsageError("this UNet has one level, so no deep features could be taken again")
    features = DeepFeatures(every)
    try:
        for block in blocks:
            block.forward = _passed_over(block.forward, features, block is blocks[-1])
        yield features
    finally:
        for block in blocks:
            block.__dict__.pop("forward", None)


def _passed_over(run: Callable[..., Any], features: DeepFeatures, last: bool) -> Callable[..., Any]:
    """`run`, or, where features are taken again, tensors of the right shape without contents (`last`: the features)."""
    shapes: dict[Any, Any] = {}

    def forward(*inputs: Any, **named: Any) -> Any:
        given: Any = named["hidden_states"] if "hidden_states" in named else inputs[0]
        if features.again:
            return features.kept[features.key] if last else _blank(given, shapes[given.shape])
        answer = run(*inputs, **named)
        if last:
            features.remember(answer)
        shapes[given.shape] = _shape(answer)
        return answer

    return forward


def _shape(answer: Any) -> Any:
    return tuple(_shape(each) for each in answer) if isinstance(answer, tuple) else answer.shape


def _blank(like: torch.Tensor, shape: Any) -> Any:
    """One number seen as often as it takes: nothing reads it but a sum with what a ControlNet adds."""
    import torch

    if not isinstance(shape, torch.Size):
        return tuple(_blank(like, each) for each in shape)
    return like.new_zeros(()).expand(shape)


def kept_bytes(unet: Any, sides: int, frames: int, height: int, width: int) -> int:
    """Bytes of the features kept for `frames` in all windows of a step; `height` and `width` are of the latents."""
    channels = unet.config.block_out_channels[1]
    return int(sides * frames * channels * height * width * unet.dtype.itemsize)
