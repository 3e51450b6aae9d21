"""Videos: which frames there are, which of them a question wants, and the pixels of just those."""

from suffice.media.decode_frames import DecodeStats, decode_frames
from suffice.media.index_video import VideoIndex, index_video
from suffice.media.select_frames import select_frames

__all__ = ["DecodeStats", "VideoIndex", "decode_frames", "index_video", "select_frames"]
