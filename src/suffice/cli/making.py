"""What `animate` and `inpaint` share: settings to a file, with progress on stderr."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suffice.diffusion.animator import Animator
    from suffice.diffusion.denoise import OnStep
    from suffice.diffusion.settings import Settings
    from suffice.media.image import Image


def make(
    wanted: Mapping[str, Any],
    out: Path,
    *,
    like: Path | None = None,
    device: str | None = None,
    axes: tuple[str | None, str | None] = (None, None),
) -> dict[str, Any]:
    """Make the clip and write it; returns the command's JSON.

    Ctrl-C while steps are taken leaves nothing; while frames are decoded, those that are ready are written.
    """
    from suffice.diffusion.clip.read_settings import read_settings
    from suffice.diffusion.settings import settings_from

    base = settings_from(read_settings(like)) if like is not None else None
    return write(settings_from(_with_file(wanted), base), out, device, axes)


def _with_file(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A timeline that names a file is what is in it, so that the clip remembers the text."""
    text = str(wanted.get("timeline", ""))
    is_file = text and len(text) < 1024 and "\n" not in text and os.path.isfile(os.path.expanduser(text))
    return {**wanted, "timeline": Path(text).expanduser().read_text("utf-8")} if is_file else dict(wanted)


def write(
    settings: Settings, out: Path, device: str | None, axes: tuple[str | None, str | None] = (None, None)
) -> dict[str, Any]:
    """The clip of `settings`, or a grid of clips, in `out`."""
    from suffice.diffusion.animator import Animator
    from suffice.diffusion.clip.write import check_format, write_clip
    from suffice.diffusion.memory.peak import PeakMemory

    started = time.perf_counter()
    check_format(out)
    with PeakMemory() as peak, _progress() as progress:
        animator = Animator(settings.model, device=device, storage=settings.storage)
        task = progress.add_task("steps", total=None)

        def on_step(done: int, of: int, latents: Any) -> None:
            progress.update(task, completed=done, total=of)

        if any(axes):
            frames, total, fps, made = _grid(animator, settings, axes, on_step), None, settings.fps, settings
        else:
            clip = animator.animate(settings, on_step)
            frames, total, fps, made = clip.frames, clip.count, clip.fps, clip.settings
        count = write_clip(out, progress.track(frames, total=total, description="frames"), fps, made.as_json())
    return {
        "frames": count,
        "file": str(out),
        "seconds": round(time.perf_counter() - started, 3),
        "peak_memory_bytes": peak.bytes,
        "settings": made.as_json(),
    }


def _grid(
    animator: Animator, settings: Settings, axes: tuple[str | None, str | None], on_step: OnStep
) -> Iterator[Image]:
    from suffice.diffusion.clip.strip import Strip, make_strip
    from suffice.diffusion.grid import make_grid, read_axis

    def one(settings: Settings) -> Strip:
        clip = animator.animate(settings, on_step)
        return make_strip(clip.frames, clip.count)

    across, *down = (read_axis(text) for text in axes if text)
    return make_grid(settings, across, down[0] if down else None, one)


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True)
