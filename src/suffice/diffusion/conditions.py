"""What the UNet is told about each window, from the settings and the timeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.diffusion.prompts.encode import encode_prompts
from suffice.diffusion.prompts.travel import PromptTravel
from suffice.diffusion.timeline.parse import Timeline, prompts_of
from suffice.diffusion.timeline.track import Track, constant, numbers_at
from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.diffusion.load import Parts
    from suffice.diffusion.predict import Region
    from suffice.diffusion.settings import Settings
    from suffice.diffusion.windows.plan import Window


@dataclass(frozen=True)
class Prompts:
    """The prompts of a clip, embedded."""

    positive: PromptTravel
    negative: PromptTravel
    regions: tuple[Region, ...]


def embed_prompts(settings: Settings, timeline: Timeline, parts: Parts, width: int, height: int) -> Prompts:
    """Embed all prompts at once, so that all are of one length."""
    regions = [_split_region(text) for text in settings.regions]
    texts = [*prompts_of(timeline), *(prompt for _, prompt in regions)]
    embedded = encode_prompts(parts, texts, clip_skip=settings.clip_skip)

    def travel(track: Track[str]) -> PromptTravel:
        return PromptTravel(track, embedded, timeline.length, timeline.travel, timeline.closed)

    found = tuple(_region(mask, travel(constant(prompt)), settings, parts, width, height) for mask, prompt in regions)
    return Prompts(travel(timeline.prompts), travel(timeline.negatives), found)


def _split_region(text: str) -> tuple[str, str]:
    mask, found, prompt = text.partition(":")
    if not found or not prompt.strip():
        raise UsageError(f"region {text!r} is not MASK:PROMPT")
    return mask.strip(), prompt.strip()


def _region(mask: str, prompts: PromptTravel, settings: Settings, parts: Parts, width: int, height: int) -> Region:
    import torch

    from suffice.diffusion.masked.source import open_masks
    from suffice.diffusion.predict import Region

    at = open_masks(mask, width, height)
    scale = parts.latent_scale
    shares = [
        torch.nn.functional.avg_pool2d(torch.from_numpy(at(number)).float()[None, None], scale)[0, 0]
        for number in range(settings.frames)
    ]
    return Region(prompts, torch.stack(shares))


def guidance_of(settings: Settings, timeline: Timeline) -> Callable[[Window], Sequence[float]]:
    """The strength of the prompt at each frame of a window."""
    track = timeline.guidance or constant(settings.guidance)
    return values_of(track, timeline)


def values_of(track: Track[float], timeline: Timeline) -> Callable[[Window], list[float]]:
    """The numbers of `track` at each frame of a window."""

    def at(window: Window) -> list[float]:
        return numbers_at(track, window, timeline.length, closed=timeline.closed, hold=timeline.hold)

    return at


def added_conditions(
    parts: Parts, width: int, height: int, images: Callable[[Window, bool], Any] | None
) -> Callable[[Window, PromptTravel, bool], dict[str, Any]]:
    """Pooled prompts and sizes for SDXL, and pictures for IP-Adapter."""
    import torch

    sizes = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32)

    def at(window: Window, prompts: PromptTravel, negative: bool) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if parts.family == "sdxl":
            pooled = prompts.pooled(window)
            told = {"text_embeds": pooled, "time_ids": sizes.repeat(len(window), 1).to(pooled)}
        if images is not None:
            told["image_embeds"] = images(window, negative)
        return told

    return at
