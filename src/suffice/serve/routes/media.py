"""Media: pictures by reference, videos to play, files in and out of the roots."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, UploadFile
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel

from suffice.serve.callers import READER, RUNNER
from suffice.serve.problems import HttpError
from suffice.serve.routes.context import Lanes_, Settings_
from suffice.serve.sources import Source

if TYPE_CHECKING:
    from suffice.models.protocol import Image

router = APIRouter(prefix="/api", tags=["media"])

CHUNK_BYTES = 1 << 20
FILES_MAX = 2000
Reference = Annotated[str, Query(max_length=300, description="An image reference, as answers have them.")]
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


class MediaFile(BaseModel):
    path: str
    kind: str
    size_bytes: int


class MediaFiles(BaseModel):
    files: list[MediaFile]


@router.get("/image", dependencies=[READER], response_class=Response, responses=_JPEG)
def image(
    ref: Reference,
    lanes: Lanes_,
    max_px: Annotated[int, Query(ge=16, le=4096)] = 480,
    box: Annotated[str | None, Query(max_length=100, pattern=r"^-?[\d.]+(,-?[\d.]+){3}$")] = None,
    label: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """A picture as JPEG, its longer side at most `max_px`, with a box drawn in when one is given."""
    connection = lanes.get()
    connection.path(ref)  # still there, and inside the roots
    made = lanes.thumbnails.get(
        (ref, max_px, box, label), lambda: _thumbnail(connection.image(ref), max_px, box, label)
    )
    return Response(made, media_type="image/jpeg", headers=_FOREVER)


def _thumbnail(pixels: Image, max_px: int, box: str | None, label: str) -> bytes:
    from suffice.media.write import draw_boxes, encode_jpeg, thumbnail

    small = thumbnail(pixels, max_px)
    if box:
        scale = small.shape[1] / pixels.shape[1]
        small = draw_boxes(small, [[float(edge) * scale for edge in box.split(",")]], [label])
    return encode_jpeg(small)


@router.get(
    "/picture", dependencies=[READER], response_class=Response, responses={200: {"content": {"image/jpeg": {}}}}
)
def picture(path: Annotated[str, Query(max_length=4096)], lanes: Lanes_) -> Response:
    """A picture file below the roots, at its own size."""
    from suffice.media.write import encode_jpeg

    pixels = Source(path=path).pixels(lanes)
    return Response(encode_jpeg(pixels, 92), media_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})


@router.get("/video", dependencies=[READER], response_class=FileResponse)
def video(ref: Reference, lanes: Lanes_) -> FileResponse:
    """The file a frame comes from, in ranges as players ask for them."""
    path = lanes.get().path(ref)
    if "://" in path:
        raise HttpError(422, "a video on an object store cannot be played from here")
    return FileResponse(path, content_disposition_type="inline")


@router.get("/files", dependencies=[READER])
def files(lanes: Lanes_, settings: Settings_) -> MediaFiles:
    """Media files below the roots, by the content of their names' endings; the first 2,000."""
    from suffice.media.wants import EXTENSIONS

    kinds = {f".{extension}": kind for kind, each in reversed(EXTENSIONS.items()) for extension in each}
    found: list[MediaFile] = []
    for root in settings.roots:
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(names):
                kind = kinds.get(Path(name).suffix.lower())
                if kind and len(found) < FILES_MAX:
                    path = Path(folder, name)
                    with contextlib.suppress(OSError):
                        found.append(MediaFile(path=str(path), kind=kind, size_bytes=path.stat().st_size))
    return MediaFiles(files=found)


@router.post("/media", dependencies=[RUNNER], status_code=201)
async def upload(file: UploadFile, settings: Settings_) -> MediaFile:
    """Add a file. It is kept under ``uploads`` in the first root, under its own name as far as that is harmless."""
    folder = settings.roots[0] / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    path = _free(folder, harmless_name(file.filename or "file"))
    part = folder / f".{secrets.token_hex(8)}.part"
    try:
        size_bytes = 0
        with part.open("wb") as out:
            while chunk := await file.read(CHUNK_BYTES):
                size_bytes += len(chunk)
                out.write(chunk)
        kind = _kind(part)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return MediaFile(path=str(path), kind=kind, size_bytes=size_bytes)


def harmless_name(name: str) -> str:
    """The last part of `name` in letters, digits, dots and dashes, never hidden, at most 120 of them."""
    last = re.split(r"[/\\]", name)[-1]
    cleaned = re.sub(r"[^\w.-]+", "_", last).lstrip(".")[-120:].lstrip(".")
    return cleaned or "file"


def _free(folder: Path, name: str) -> Path:
    stem, suffix = os.path.splitext(name)
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path


def _kind(path: Path) -> str:
    """What is in the file; it must be a medium, so that nothing else can be stored here."""
    from suffice.media.sniff import HEAD_BYTES, KINDS, sniff

    with path.open("rb") as file:
        found = sniff(file.read(HEAD_BYTES))
    if found is None:
        raise HttpError(422, "the file is no video, picture, document or text")
    return KINDS[found][0]
