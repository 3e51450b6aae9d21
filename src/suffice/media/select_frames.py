"""Which frames of a video a question wants."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.media.index_video import Ints, VideoIndex


def select_frames(
    index: VideoIndex,
    fps: float | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    key_frames_only: bool = False,
) -> Ints:
    """Indices of the wanted frames, rising, without repeats.

    Args:
        index: the video.
        fps: for each tick ``start_s + k / fps`` before `end_s` the frame on show at that moment. Frames may be unevenly
            spaced; each comes once, so a rate above the video's own gives every frame. None gives all frames.
        start_s: without `fps`, frames with ``start_s <= time_s``; with it, the first tick.
        end_s: without `fps`, frames with ``time_s < end_s``; with it, where ticks end.
        key_frames_only: only frames that decode without others, each taken to stay on show until the next of them.

    Raises:
        UsageError: `fps` is not a positive number, or a time is not a number.
    """
    for name, given in (("fps", fps), ("start_s", start_s), ("end_s", end_s)):
        if isinstance(given, bool | str):
            raise UsageError(f"{name} must be a number, not {given!r}")
    start_s, end_s = 0.0 if start_s is None else start_s, index.duration_s if end_s is None else end_s
    if math.isnan(start_s) or math.isnan(end_s):
        raise UsageError("start_s and end_s must be numbers")
    candidates: Ints = np.flatnonzero(index.key_frame) if key_frames_only else np.arange(len(index))
    time_s = index.time_s[candidates]
    if fps is None:
        return candidates[(time_s >= start_s) & (time_s < end_s)]
    if not (fps > 0 and math.isfinite(fps)):
        raise UsageError(f"fps must be a positive number, not {fps}")
    until_s = np.minimum(np.append(time_s[1:], index.duration_s), end_s)
    slack = _rounding_s(index) * fps
    first_tick = np.maximum(np.ceil((time_s - start_s) * fps - slack), 0)
    next_tick = np.ceil((until_s - start_s) * fps - slack)
    return np.asarray(candidates[next_tick > first_tick])


def _rounding_s(index: VideoIndex) -> float:
    """How far a timestamp may be from the moment it stands for: half a unit, and little against a frame's time.

    Without this, asking a 30 fps Matroska file (whole milliseconds) for 30 fps would lose every third frame.
    """
    gaps_s: npt.NDArray[np.float64] = np.diff(index.time_s, append=index.duration_s)
    return min(0.5 * float(index.time_base) + 1e-9, 0.05 * float(np.median(gaps_s)))
