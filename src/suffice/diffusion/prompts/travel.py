"""What each frame of a window is told: embeddings on the way from key to key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.diffusion.prompts.encode import Embedding
from suffice.diffusion.timeline.mix import mix
from suffice.diffusion.timeline.track import Track, Travel

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PromptTravel:
    """Prompts of a clip; only the keys' embeddings are held, the frames between are made window by window.

    Attributes:
        track: prompts by frame.
        embeddings: of every prompt of `track`.
        length: frames of the clip.
        travel: how to go from key to key.
        closed: whether the last key leads on to the first.
    """

    track: Track[str]
    embeddings: Mapping[str, Embedding]
    length: int
    travel: Travel = "slerp"
    closed: bool = False

    def states(self, frames: Sequence[int]) -> torch.Tensor:
        """``[frames, tokens, channels]``."""
        import torch

        return torch.stack([self._at(frame, pooled=False) for frame in frames])

    def pooled(self, frames: Sequence[int]) -> torch.Tensor:
        """``[frames, channels]``, for SDXL."""
        import torch

        return torch.stack([self._at(frame, pooled=True) for frame in frames])

    def _at(self, frame: int, *, pooled: bool) -> torch.Tensor:
        place = self.track.between(frame, self.length, closed=self.closed, hold=self.travel == "hold")
        before, after = (self._vector(self.track.values[key], pooled=pooled) for key in (place.before, place.after))
        return mix(before, after, place.share, spherical=self.travel == "slerp")

    def _vector(self, prompt: str, *, pooled: bool) -> torch.Tensor:
        embedding = self.embeddings[prompt]
        return embedding.pooled if pooled else embedding.states
