"""Open a file as a video, and as nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from suffice.errors import MediaError
from suffice.media.scan import name_of, open_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Formats that point to other files (HLS, concat) would let one file read another; those that guess (tty, image2)
# would make a video of a text or a picture.
_FORMATS = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,ivf,yuv4mpegpipe,h264,hevc,m4v,mxf"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "", "fflags": "+genpts"}


@contextmanager
def open_video(file: str | BinaryIO) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A container and its main video stream, read from a path, URL or seekable binary file.

    Raises:
        MediaError: `file` is not a video that can be read.
    """
    import av

    source = open_file(file) if isinstance(file, str) else file
    try:
        source.seek(0)
        with av.open(source, mode="r", options=dict(_OPTIONS), metadata_errors="replace") as container:
            yield container, _main_stream(container, name_of(file))
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{name_of(file)} cannot be read as a video: {error.strerror or error}") from error
    finally:
        if isinstance(file, str):
            source.close()


def _main_stream(container: InputContainer, name: str) -> VideoStream:
    from av.stream import Disposition

    stream = container.streams.best("video")
    if (
        stream is None or stream.codec_context is None or stream.disposition & Disposition.attached_pic
    ):  # the cover of a piece of music
        raise MediaError(f"{name} has no video stream that can be decoded")
    stream.codec_context.thread_type = "NONE"
    return cast("VideoStream", stream)


def read_packets(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """The packets of `stream` from where `container` stands; raises :class:`MediaError` where reading fails."""
    import av

    try:
        for packet in container.demux(stream):
            if packet.size:  # an empty one only marks the end
                yield packet
    except (av.FFmpegError, OSError, IndexError) as error:  # IndexError: a stream that the beginning did not announce
        raise MediaError(f"reading fails: {getattr(error, 'strerror', None) or error}") from error
