"""Masks of what words find in the picture or clip that is painted on: ``--mask text:person``."""

from __future__ import annotations

from pathlib import Path

from suffice.errors import UsageError

PREFIX = "text:"
MODEL = "default:fast"


def found_masks(words: str, source: str, frames: int, out: Path) -> str:
    """Find, follow and cut out `words` in the first `frames` frames of `source`.

    Returns:
        A file beside `out`: a mask for a picture, a track for a clip, both as ``--mask`` takes them.

    Raises:
        UsageError: there is nothing to look in, or nothing is found.
    """
    from suffice.masks.prompt import checked, text_prompt
    from suffice.media.sniff import HEAD_BYTES, KINDS, sniff

    if not source:
        raise UsageError(f"--mask {PREFIX}{words}: there is nothing to look in; give --init")
    checked(text_prompt(words), 1, 1)
    with open(source, "rb") as file:
        is_video = "video" in KINDS.get(sniff(file.read(HEAD_BYTES)) or "", ())
    return _in_clip(words, source, frames, out) if is_video else _in_picture(words, source, out)


def _in_clip(words: str, source: str, frames: int, out: Path) -> str:
    from suffice.masks.follower import follower_of
    from suffice.masks.names import finder_named, segmenter_named
    from suffice.masks.prompt import text_prompt
    from suffice.masks.video import Span, mask_video
    from suffice.media.index_video import index_video

    times_s = index_video(source).time_s
    follower = follower_of(text_prompt(words), segmenter_named(MODEL), finder_named("default"))
    span = Span(end_s=float(times_s[frames]) if frames < len(times_s) else None)
    answer = mask_video(source, follower, out.parent, span, stem=out.stem)
    if not answer.things:
        raise UsageError(f"{source!r} has nothing like {words!r} in its first {frames} frames")
    return answer.lines


def _in_picture(words: str, source: str, out: Path) -> str:
    from suffice.masks.ask import ask
    from suffice.masks.combine import union
    from suffice.masks.names import segmenter_named
    from suffice.masks.picture_files import save_mask
    from suffice.masks.prompt import text_prompt
    from suffice.media.image import decode_image

    image = decode_image(source)
    things = ask(image, text_prompt(words), segmenter_named(MODEL))
    if not things:
        raise UsageError(f"{source!r} has nothing like {words!r}")
    out.parent.mkdir(parents=True, exist_ok=True)
    return save_mask(out.with_name(f"{out.stem}_mask.png"), union([thing.mask for thing in things], image.shape[:2]))
