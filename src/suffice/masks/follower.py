"""How a prompt is followed through a video by the segmenter at hand."""

from __future__ import annotations

from functools import partial

from suffice.masks.backend import Finder, Segmenter
from suffice.masks.prompt import Prompt
from suffice.masks.promptable.checkpoint_segmenter import CheckpointSegmenter
from suffice.masks.promptable.video_session import VideoSession
from suffice.masks.tracking.follow import Follow, follow
from suffice.masks.video import Follower


def follower_of(prompt: Prompt, segmenter: Segmenter, finder: Finder) -> Follower:
    """By the network's own memory when it has one; else boxes are tracked and segmented."""
    asked = Follow(prompt)
    if isinstance(segmenter, CheckpointSegmenter) and segmenter.has_memory:
        return partial(VideoSession(segmenter.locator).follow, asked=asked, finder=finder)
    return partial(follow, asked=asked, segmenter=segmenter, finder=finder)
