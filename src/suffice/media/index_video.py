"""Which frames a video has, when they are shown, and where decoding has to start for each."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from suffice.errors import MediaError
from suffice.media.open_video import open_video, read_packets
from suffice.media.scan import name_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class VideoIndex:
    """The frames of a video in the order they are shown.

    Time zero is the first frame shown: the file's own clock may start anywhere (negative, an edit list, a broadcast
    recording), and `pts` keeps it. Not counted as frames: what the container's edit list cuts off, and what comes
    before the first key frame and so can never be decoded.

    Attributes:
        width, height: in pixels as shown, after `rotation`; sample aspect ratio is not applied.
        rotation: degrees counter-clockwise that decoded pictures are turned by.
        codec: such as ``h264``.
        duration_s: until the end of the last frame.
        time_base: seconds of one unit of `pts`.
        pts: ``int64 [n]``, strictly rising.
        key_frame: ``bool [n]``, decodable without any other frame.
        packet: ``int64 [n]``, the frame's place in decoding order.
        key_pts, key_dts, key_packet: ``int64 [k]`` of the packets at which decoding can start, in decoding order.
        key: ``int64 [n]``, which of these governs the frame.
        problem: empty, or what is wrong with the rest of the file in one line.
    """

    width: int
    height: int
    rotation: int
    codec: str
    duration_s: float
    time_base: Fraction
    pts: Ints
    key_frame: npt.NDArray[np.bool_]
    packet: Ints
    key_pts: Ints
    key_dts: Ints
    key_packet: Ints
    key: Ints
    problem: str = ""

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def time_s(self) -> npt.NDArray[np.float64]:
        """``float64 [n]``, seconds since the first frame."""
        return np.asarray((self.pts - self.pts[0]) * self.time_base.numerator / self.time_base.denominator)


def index_video(file: str | BinaryIO) -> VideoIndex:
    """Index the first video stream of `file` by reading its packets; only the first key frame is decoded.

    That one frame tells the rotation, and that the codec is there.

    Raises:
        MediaError: not a video, no key frame, no timestamps, or a first key frame that cannot be decoded.
    """
    with open_video(file) as (container, stream):
        name = name_of(file)
        packets, first_key, failure = _read_all(container, stream)
        if first_key is None:
            raise MediaError(f"{name} has no key frame: nothing in it can be decoded")
        if _untimed(container.format.name, stream) or any(packet[0] is None for packet in packets):
            raise MediaError(f"{name} does not tell when each frame is shown: convert it to mp4 or mkv, which do")
        rotation = _rotation(stream, first_key, name)
        return _build(stream, np.array(packets, np.int64), rotation, name, failure)


def _read_all(container: InputContainer, stream: VideoStream) -> tuple[list[tuple[Any, ...]], Any, str]:
    """``(pts, dts, duration, key, shown, position)`` of each packet from the first key packet on; that packet; and
    why reading stopped before the end, if it did."""
    packets: list[tuple[Any, ...]] = []
    first_key = None
    try:
        for position, packet in enumerate(read_packets(container, stream)):
            if first_key is None:
                if not packet.is_keyframe:
                    continue
                first_key = packet
            dts = packet.pts if packet.dts is None else packet.dts
            shown = not (packet.is_discard or packet.is_corrupt)
            packets.append((packet.pts, dts, packet.duration or 0, packet.is_keyframe, shown, position))
    except MediaError as error:
        return packets, first_key, str(error)
    return packets, first_key, ""


def _untimed(format_: str, stream: VideoStream) -> bool:
    """AVI has no presentation times, and what is made up for them is wrong when H.264 or later reorders frames."""
    return format_ == "avi" and stream.codec_context.name in ("h264", "hevc") and stream.codec_context.has_b_frames


def _rotation(stream: VideoStream, first_key: Any, name: str) -> int:
    import av

    try:
        frames = [*stream.decode(first_key), *stream.decode(None)]
    except av.FFmpegError as error:
        raise MediaError(f"the first frame of {name} cannot be decoded: {error.strerror}") from error
    return round(frames[0].rotation / 90) * 90 % 360 if frames else 0


def _build(stream: VideoStream, packets: Ints, rotation: int, name: str, failure: str) -> VideoIndex:
    keys = packets[packets[:, 3] == 1]
    shown = packets[(packets[:, 4] == 1) & (packets[:, 0] >= keys[0, 0])]
    if not len(shown):
        raise MediaError(f"{name} shows no frames")
    _, firsts = np.unique(shown[:, 0], return_index=True)  # two fields of one frame share a timestamp
    pts, _, duration, key_frame, _, position = shown[firsts].T
    context = stream.codec_context
    width, height = (context.width, context.height)[:: -1 if rotation % 180 else 1]
    time_base = stream.time_base or Fraction(1, 1)
    last = duration[-1] or (np.median(np.diff(pts)) if len(pts) > 1 else 0) or 1
    return VideoIndex(
        width=width,
        height=height,
        rotation=rotation,
        codec=context.codec.canonical_name,
        duration_s=float((pts[-1] + last - pts[0]) * time_base),
        time_base=time_base,
        pts=pts,
        key_frame=key_frame.astype(np.bool_),
        packet=position,
        key_pts=keys[:, 0],
        key_dts=keys[:, 1],
        key_packet=keys[:, 5],
        key=_governing_key(pts, position, keys),
        problem=failure or _problem(stream, len(packets), len(shown) - len(pts)),
    )


def _problem(stream: VideoStream, read: int, repeated: int) -> str:
    listed = len(stream.index_entries) if "mp4" in stream.container.format.name else 0
    if read < listed:
        return f"ends early: only {read} of {listed} frames can be read"
    return f"{repeated} frames share their timestamp with another and are left out" if repeated else ""


def _governing_key(pts: Ints, position: Ints, keys: Ints) -> Ints:
    """The last key packet both shown and stored no later than the frame.

    A frame stored after a key frame but shown before it (open group of pictures) leans on the group before.
    """
    by_time = np.searchsorted(np.maximum.accumulate(keys[:, 0]), pts, side="right")
    by_place = np.searchsorted(keys[:, 5], position, side="right")
    return np.asarray(np.maximum(np.minimum(by_time, by_place) - 1, 0), np.int64)
