"""The pixels of some frames of a video, decoding as little as the format allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from suffice.errors import MediaError
from suffice.media.image import Image
from suffice.media.index_video import Ints, VideoIndex
from suffice.media.open_video import open_video, read_packets

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Codecs whose pictures say themselves that no other picture needs them, and whose decoder can be told to drop those
# from one packet to the next (H.264: nal_ref_idc = 0).
_DROPS_UNREFERENCED = {"h264"}

# Codecs whose decoder may run on several threads: on some damaged files FFmpeg's HEVC decoder then waits for ever.
_THREADS = {"h264"}


@dataclass
class DecodeStats:
    """What a decoding cost; hand one in, it adds up over calls.

    Attributes:
        seeks: jumps to a key frame.
        packet_pts: of the packets given to the decoder, in that order.
        decoded: pictures that the decoder reconstructed; of the packets given to it, it drops those nobody needs.
        converted: pictures turned into RGB.
    """

    seeks: int = 0
    packet_pts: list[int] = field(default_factory=list)
    decoded: int = 0
    converted: int = 0


@dataclass(frozen=True)
class _Run:
    """Frames that are decoded in one go: from a key packet through `last_packet`."""

    key: int
    frames: Ints
    last_packet: int


def decode_frames(
    file: str | BinaryIO,
    frame_indices: Sequence[int] | Ints,
    index: VideoIndex,
    *,
    threads: int = 1,
    stats: DecodeStats | None = None,
) -> Iterator[tuple[int, Image | MediaError]]:
    """Decode the wanted frames of `file` only, in order of `frame_indices`, which must rise.

    For each stretch of wanted frames it seeks to the key frame they start from, decodes up to the last of them and
    leaves out pictures that neither are wanted nor referenced; groups of pictures without a wanted frame are not read.
    Frames are told apart by pts, so what comes out is the frame that the index means, or an error in its place. Where
    the decoder notices damage, so many frames of that group are errors as may lean on the damaged one, for the decoder
    would go on painting over it.

    Args:
        file: path, URL or seekable binary file.
        frame_indices: rising positions in `index`.
        index: of this very file, by :func:`suffice.media.index_video.index_video`.
        threads: of the decoder, H.264 only; other codecs take one. Two idle cores save a quarter of decoding it all.
        stats: counts what was done.

    Yields:
        ``(frame index, uint8 [height, width, 3] RGB turned upright, or MediaError)``.
    """
    wanted = np.asarray(frame_indices, np.int64)
    _check(wanted, index)
    stats = DecodeStats() if stats is None else stats
    with open_video(file) as (container, stream):
        decoder = _Decoder(container, stream, index, threads, stats)
        for run in _runs(wanted, index):
            yield from decoder.decode(run)


def _check(wanted: Ints, index: VideoIndex) -> None:
    beyond = wanted[(wanted < 0) | (wanted >= len(index))]
    if len(beyond):
        raise MediaError(f"no frame {beyond[0]}: the video has frames 0 to {len(index) - 1}")
    if np.any(np.diff(wanted) <= 0):
        raise MediaError("frame indices must rise")


def _runs(wanted: Ints, index: VideoIndex) -> list[_Run]:
    """Group by governing key; a group that starts where the one before stops goes on without a seek."""
    runs: list[_Run] = []
    for frames in np.split(wanted, np.flatnonzero(np.diff(index.key[wanted])) + 1) if len(wanted) else []:
        run = _Run(int(index.key[frames[0]]), frames, int(index.packet[frames].max()))
        if runs and index.key_packet[run.key] <= runs[-1].last_packet + 1:
            before = runs.pop()
            last_packet = max(before.last_packet, run.last_packet)
            run = _Run(before.key, np.concatenate([before.frames, frames]), last_packet)
        runs.append(run)
    return runs


class _Decoder:
    def __init__(
        self, container: InputContainer, stream: VideoStream, index: VideoIndex, threads: int, stats: DecodeStats
    ) -> None:
        from av.video.reformatter import VideoReformatter

        self.container, self.stream, self.index, self.stats = container, stream, index, stats
        self.context = stream.codec_context
        self.threads = threads if index.codec in _THREADS else 1
        self.context.thread_type = "FRAME" if self.threads > 1 else "NONE"
        self.context.thread_count = self.threads
        self.reformatter = VideoReformatter()
        self.can_drop = index.codec in _DROPS_UNREFERENCED
        self.settled_by = _settled_by(index)

    def decode(self, run: _Run) -> Iterator[tuple[int, Image | MediaError]]:
        """All frames of the run in order; those that never came out, as errors."""
        pending = run.frames.tolist()
        for frame_index, picture in self._settled(run):
            while pending and pending[0] < frame_index:
                yield self._failed(pending.pop(0))
            if pending and pending[0] == frame_index:
                yield pending.pop(0), picture
        for frame_index in pending:
            yield self._failed(frame_index)

    def _settled(self, run: _Run) -> Iterator[tuple[int, Image | MediaError]]:
        """Wanted frames, each held back until all that it may lean on came out, for only then damage shows."""
        wanted = set(run.frames.tolist())
        damaged: list[int] = []
        held: list[tuple[int, Any]] = []
        for frame_index, frame in self._pictures(run, wanted, damaged):
            if frame.is_corrupt:
                damaged.append(int(self.index.packet[frame_index]))
            if frame_index in wanted:
                held.append((frame_index, frame))
            while held and self.settled_by[held[0][0]] <= frame_index:
                yield self._finish(*held.pop(0), damaged)
        for entry in held:
            yield self._finish(*entry, damaged)

    def _pictures(self, run: _Run, wanted: set[int], damaged: list[int]) -> Iterator[tuple[int, Any]]:
        """Whatever the decoder puts out between the key packet and the last packet of the run, with its index."""
        import av

        for position, packet in self._packets(run):
            if self.can_drop:
                self.context.skip_frame = "DEFAULT" if packet is None or self._at(packet.pts) in wanted else "NONREF"
            try:
                frames = self.context.decode(packet)
            except av.FFmpegError:
                damaged.append(position - self.threads + 1)
                continue
            self.stats.decoded += len(frames)
            for frame in frames:
                frame_index = self._at(frame.pts)
                if frame_index >= 0:
                    yield frame_index, frame

    def _packets(self, run: _Run) -> Iterator[tuple[int, Any]]:
        """Packets of the run with their place in decoding order, and None at the end to drain the decoder."""
        first = int(self.index.key_packet[run.key])
        for position, packet in enumerate(self._from_key(run.key), first):
            self.stats.packet_pts.append(packet.pts)
            yield position, packet
            if position >= run.last_packet:
                break
        yield run.last_packet, None

    def _from_key(self, key: int) -> Iterator[Any]:
        """Packets from a key packet on. Seeking is approximate in some formats, so aim earlier until it is met."""
        pts, dts = int(self.index.key_pts[key]), int(self.index.key_dts[key])
        second = int(1 / self.index.time_base)
        for target in (pts, dts, dts - second, dts - 10 * second, int(self.index.key_dts[0])):
            self._seek(target)
            met = False
            with suppress(MediaError):  # reading fails half-way: what is missing is reported frame by frame
                for packet in read_packets(self.container, self.stream):
                    met = met or (packet.is_keyframe and packet.pts == pts)
                    if not met and packet.dts is not None and packet.dts > dts:
                        break
                    if met:
                        yield packet
            if met:
                return

    def _seek(self, target: int) -> None:
        import av

        self.stats.seeks += 1
        with suppress(av.FFmpegError):
            self.container.seek(target, stream=self.stream, backward=True)
        self.context.flush_buffers()

    def _at(self, pts: int | None) -> int:
        """The frame shown at exactly `pts`, or -1."""
        if pts is None:
            return -1
        place = int(np.searchsorted(self.index.pts, pts))
        return place if place < len(self.index) and self.index.pts[place] == pts else -1

    def _finish(self, frame_index: int, frame: Any, damaged: list[int]) -> tuple[int, Image | MediaError]:
        index = self.index
        start, place = index.key_packet[index.key[frame_index]], index.packet[frame_index]
        if any(start <= position <= place for position in damaged):
            return self._failed(frame_index)
        self.stats.converted += 1
        picture = self.reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        return frame_index, np.ascontiguousarray(np.rot90(picture, index.rotation // 90))

    def _failed(self, frame_index: int) -> tuple[int, MediaError]:
        time_s = self.index.time_s[frame_index]
        reason = "it, or a frame it leans on, is damaged or missing"
        return frame_index, MediaError(f"frame {frame_index} at {time_s:.3f} s cannot be decoded: {reason}")


def _settled_by(index: VideoIndex) -> Ints:
    """For each frame, the last shown among those stored before it: once that is out, so is all it may lean on."""
    in_stored_order = np.argsort(index.packet)
    settled = np.empty(len(index), np.int64)
    settled[in_stored_order] = np.maximum.accumulate(in_stored_order)
    return settled
