"""The settings a clip was made with, read back from the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from suffice.diffusion.clip.write import NAME
from suffice.errors import MediaError

_USER_COMMENT = 0x9286
_MARK_BYTES = 8


def read_settings(path: Path) -> dict[str, Any]:
    """What :func:`~suffice.diffusion.clip.write.write_clip` put into `path`.

    Raises:
        MediaError: no such file, or it holds none.
    """
    if not path.exists():
        raise MediaError(f"there is no {str(path)!r}")
    if path.is_dir():
        text = (path / NAME).read_text("utf-8") if (path / NAME).is_file() else ""
    elif path.suffix.lower() in (".mp4", ".webm", ".mkv", ".mov"):
        text = _of_video(path)
    else:
        text = _of_picture(path)
    try:
        settings = json.loads(text)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise MediaError(f"{str(path)!r} holds no settings: it was not made by suffice, or was converted since")
    return settings


def _of_video(path: Path) -> str:
    from suffice.media.open_video import open_video

    with open_video(str(path)) as (container, _):
        found = {key.lower(): value for key, value in container.metadata.items()}
        return found.get("comment", "")


def _of_picture(path: Path) -> str:
    from suffice.media.image import open_picture

    with open_picture(str(path)) as picture:
        info: dict[Any, Any] = picture.info
        if "suffice" in info:
            return str(info["suffice"])
        comment = info.get("comment") or picture.getexif().get_ifd(0x8769).get(_USER_COMMENT, b"")[_MARK_BYTES:]
        return comment.decode("ascii", "replace") if isinstance(comment, bytes) else str(comment)
