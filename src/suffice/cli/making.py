"""What `animate` and `inpaint` share: settings to a file, with progress on stderr."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
    load: Mapping[str, Any] | None = None,
    axes: Sequence[str] = (),
    preview: Path | None = None,
) -> dict[str, Any]:
    """Make the clip and write it; returns the command's JSON.

    Args:
        load: how the checkpoint is loaded (:class:`suffice.diffusion.animator.Animator`).
        axes: of a grid: across, down, and down again.
        preview: a picture that shows the middle frame while the steps are taken.

    Ctrl-C while steps are taken leaves nothing; while frames are decoded, those that are ready are written.
    """
    from suffice.cli.made_sources import with_made_sources
    from suffice.diffusion.clip.read_settings import read_settings
    from suffice.diffusion.settings import settings_from

    base = settings_from(read_settings(like)) if like is not None else None
    settings = _with_masks(with_made_sources(settings_from(_with_file(wanted), base), out), out)
    return write(settings, out, load or {}, axes, preview)


def _with_file(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A timeline that names a file is what is in it, so that the clip remembers the text."""
    text = str(wanted.get("timeline", ""))
    is_file = text and len(text) < 1024 and "\n" not in text and os.path.isfile(os.path.expanduser(text))
    return {**wanted, "timeline": Path(text).expanduser().read_text("utf-8")} if is_file else dict(wanted)


def _with_masks(settings: Settings, out: Path) -> Settings:
    """A mask that words stand for is what they find."""
    from suffice.cli.found_masks import PREFIX, found_masks

    if not settings.mask.startswith(PREFIX):
        return settings
    return replace(settings, mask=found_masks(settings.mask.removeprefix(PREFIX), settings.init, settings.frames, out))


def write(
    settings: Settings,
    out: Path,
    load: Mapping[str, Any],
    axes: Sequence[str] = (),
    preview: Path | None = None,
) -> dict[str, Any]:
    """The clip of `settings`, or a grid of clips, in `out`."""
    from suffice.diffusion.animator import Animator
    from suffice.diffusion.clip.write import check_format, write_clip
    from suffice.diffusion.memory.peak import PeakMemory

    started = time.perf_counter()
    check_format(out)
    with PeakMemory() as peak, _progress() as progress:
        animator = Animator(settings.model, storage=settings.storage, **load)
        task = progress.add_task("steps", total=None)
        previews = _previews(animator, preview)

        def on_step(done: int, of: int, latents: Any) -> None:
            progress.update(task, completed=done, total=of)
            previews(done, of, latents)

        if axes:
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


def _grid(animator: Animator, settings: Settings, axes: Sequence[str], on_step: OnStep) -> Iterator[Image]:
    from suffice.diffusion.clip.strip import Strip, make_strip
    from suffice.diffusion.grid import make_grid, read_axis

    def one(settings: Settings) -> Strip:
        clip = animator.animate(settings, on_step)
        return make_strip(clip.frames, clip.count)

    return make_grid(settings, [read_axis(text) for text in axes], one)


def _previews(animator: Animator, path: Path | None) -> OnStep:
    """Each picture replaces the one before as a whole, so that a viewer never sees half of one."""
    if path is None:
        return lambda done, of, latents: None
    import PIL.Image

    from suffice.diffusion.preview import Previews

    partial = path.with_name(f".{path.stem}.part{path.suffix}")

    def show(frame: Image) -> None:
        PIL.Image.fromarray(frame).save(partial)
        os.replace(partial, path)

    return Previews(animator.parts.vae, show)


def _progress() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True)
