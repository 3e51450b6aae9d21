"""The indexes of the last videos: to index a file, all of it is read, and that once a process is enough."""

from __future__ import annotations

import threading
from collections import OrderedDict

from suffice.media.index_video import VideoIndex, index_video

VIDEOS_MAX = 32

_KEPT: OrderedDict[tuple[str, str], VideoIndex] = OrderedDict()
_LOCK = threading.Lock()


def kept_index(path: str, stamp: str) -> VideoIndex:
    """The index of the video at `path` while its stamp is `stamp`; raises :class:`MediaError`."""
    with _LOCK:
        known = _KEPT.get((path, stamp))
    return known or keep_index(path, stamp, index_video(path))


def keep_index(path: str, stamp: str, index: VideoIndex) -> VideoIndex:
    """Keep an index that was made for another purpose."""
    with _LOCK:
        _KEPT[path, stamp] = index
        _KEPT.move_to_end((path, stamp))
        while len(_KEPT) > VIDEOS_MAX:
            _KEPT.popitem(last=False)
    return index
