"""Files by path, folder, glob or URL; their bytes, their hash, and the stamp that says whether they changed."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, BinaryIO

from suffice.errors import MediaError, SufficeError, nearest
from suffice.media.meter import metered, open_metered

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::|://)")
_CHUNK_BYTES = 1 << 20
_ETAGS = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True, order=True)
class FoundFile:
    """A file as it stands now.

    Attributes:
        path: absolute path, or URL.
        size_bytes: -1 when the file cannot even be looked at (a dangling link).
        mtime_ns: 0 when the store does not tell.
        stamp: differs whenever size, time of change or identity (inode, ETag) do.
    """

    path: str
    size_bytes: int
    mtime_ns: int
    stamp: str


def relative_places(files: Sequence[FoundFile]) -> list[str]:
    """Each file's path below the folder that all of them share."""
    folders = [os.path.dirname(file.path) for file in files]
    common = os.path.commonpath(folders) if folders else ""
    return [os.path.relpath(file.path, common) for file in files]


def expand(pattern: str, roots: Sequence[str] | None = None) -> list[FoundFile]:
    """The files that `pattern` names, sorted by path.

    Args:
        pattern: a file, a folder (taken with all below it), a glob (``**`` crosses folders), or an fsspec URL
            of any of these. What exists under exactly this name is taken literally, wildcards in it or not.
            Names that start with a dot are left out of local folders and globs.
        roots: folders or URLs outside which nothing may be listed, symbolic links resolved; None allows all.

    Raises:
        MediaError: nothing matches; the message has the nearest existing name.
        SufficeError: the pattern, or a file it matches, lies outside `roots`.
    """
    pattern = _local_path(pattern)
    if is_url(pattern):
        return _expand_url(pattern, roots)
    pattern = os.path.abspath(os.path.expanduser(pattern))
    _check_inside(_literal_prefix(pattern), roots)
    found = [describe(path) for path in _list_local(pattern) if not _is_special(path)]
    if not found:
        raise MediaError(f"{pattern!r} matches no file{_hint(pattern)}")
    for file in found:
        _check_inside(file.path, roots)
    return sorted(found)


def is_inside(path: str, roots: Sequence[str] | None) -> bool:
    """Whether `path` (or URL) may be read."""
    try:
        (_check_url_inside if is_url(path) else _check_inside)(path, roots)
    except SufficeError:
        return False
    return True


def is_url(path: str) -> bool:
    """Whether `path` goes through fsspec rather than the local file system."""
    return _URL.match(path) is not None


def describe(path: str) -> FoundFile:
    """What `path` is now; never raises for what is not there, so that a dangling link can still be reported."""
    if is_url(path):
        return _describe_url(path)
    try:
        now = os.stat(path)
    except OSError:
        return FoundFile(path, -1, 0, "missing")
    return FoundFile(path, now.st_size, now.st_mtime_ns, f"{now.st_size:x}-{now.st_mtime_ns:x}-{now.st_ino:x}")


def _describe_url(url: str) -> FoundFile:
    filesystem, inner = _filesystem(url)
    filesystem.invalidate_cache(inner)
    try:
        return _found_remote(filesystem, filesystem.info(inner))
    except OSError:
        return FoundFile(url, -1, 0, "missing")


def open_file(path: str) -> BinaryIO:
    """A seekable binary file, local or through fsspec; raises :class:`MediaError` when it cannot be opened."""
    path = _local_path(path)
    try:
        if is_url(path):
            filesystem, inner = _filesystem(path)
            return metered(filesystem.open(inner, "rb"))
        if _is_special(path):  # opening a pipe would wait for a writer for ever
            raise MediaError(f"{path!r} is not a regular file")
        return open_metered(path)
    except OSError as error:
        raise MediaError(f"{path!r} cannot be read: {error.strerror or error}") from error


def name_of(file: str | BinaryIO) -> str:
    """What to call `file` in a message."""
    name = file if isinstance(file, str) else getattr(file, "name", None) or getattr(file, "full_name", None)
    return repr(name) if isinstance(name, str) else "the file"


def content_hash(path: str) -> str:
    """BLAKE2b-128 of the bytes of `path`, as 32 hexadecimal characters."""
    digest = hashlib.blake2b(digest_size=16)
    with open_file(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _local_path(path: str) -> str:
    return re.sub(r"^(file|local)://", "", path)


def _is_special(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _list_local(pattern: str) -> Iterable[str]:
    if os.path.isdir(pattern):
        return _walk(pattern)
    if os.path.lexists(pattern):
        return [pattern]
    top = _literal_prefix(pattern)
    rest = os.path.relpath(pattern, top).split(os.sep)
    if "**" in rest:
        return (path for path in _walk(top) if _matches(os.path.relpath(path, top).split(os.sep), rest))
    matches = glob.iglob(os.path.join(glob.escape(top), *rest))
    return (path for path in matches if not os.path.isdir(path))


def _matches(names: list[str], pattern: list[str]) -> bool:
    """Whether the names of a path fit the segments of a glob, ``**`` standing for any number of folders."""
    if not pattern or not names:
        return not names and all(segment == "**" for segment in pattern)
    if pattern[0] == "**":
        return _matches(names, pattern[1:]) or _matches(names[1:], pattern)
    return fnmatchcase(names[0], pattern[0]) and _matches(names[1:], pattern[1:])


def _walk(top: str) -> Iterable[str]:
    """All files below `top`, linked folders followed, each folder once, for such links may go round in circles."""
    seen = set()
    for folder, folders, names in os.walk(top, followlinks=True):
        seen.add(os.path.realpath(folder))
        folders[:] = [f for f in sorted(folders) if f[0] != "." and os.path.realpath(f"{folder}/{f}") not in seen]
        yield from (os.path.join(folder, name) for name in names if name[0] != ".")


def _literal_prefix(pattern: str) -> str:
    """The part of a path that has no wildcard: everything listed lies below it."""
    while glob.has_magic(pattern) and not os.path.lexists(pattern):
        pattern = os.path.dirname(pattern)
    return pattern


def _check_inside(path: str, roots: Sequence[str] | None) -> None:
    if roots is None:
        return
    real = os.path.realpath(path)
    real_roots = [os.path.realpath(os.path.expanduser(_local_path(root))) for root in roots if not is_url(root)]
    if not any(os.path.commonpath([real, root]) == root for root in real_roots):
        raise SufficeError(f"{path!r} lies outside the allowed folders ({', '.join(map(repr, roots))})")


def _hint(pattern: str) -> str:
    """Where the path stops existing, and what stands there under a similar name."""
    folder, missing = os.path.split(pattern)
    while folder and not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder, missing = os.path.split(folder)
    try:
        return f"; {folder!r} has no {missing!r}{nearest(missing, os.listdir(folder))}"
    except OSError:
        return ""


def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        filesystem, inner = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise SufficeError(f"no driver for {url!r}: {str(error).splitlines()[0]}") from error
    return filesystem, inner


def _expand_url(pattern: str, roots: Sequence[str] | None) -> list[FoundFile]:
    _check_url_inside(pattern, roots)
    filesystem, inner = _filesystem(pattern)
    try:
        found = [_found_remote(filesystem, info) for info in _list_remote(filesystem, inner)]
        siblings = [] if found else filesystem.ls(filesystem._parent(inner), detail=False)
    except FileNotFoundError:
        found, siblings = [], []
    except OSError as error:
        raise MediaError(f"{pattern!r} cannot be listed: {error}") from error
    if not found:
        raise MediaError(f"{pattern!r} matches no file{nearest(inner, siblings)}")
    return sorted(found)


def _list_remote(filesystem: Any, inner: str) -> Iterable[dict[str, Any]]:
    filesystem.invalidate_cache()  # else a listing kept from the last query hides what is new
    if filesystem.isfile(inner):
        return [filesystem.info(inner)]
    listed = filesystem.find(inner, detail=True) or filesystem.glob(inner, detail=True)
    return [info for info in listed.values() if info["type"] == "file"]


def _found_remote(filesystem: Any, info: dict[str, Any]) -> FoundFile:
    """Stores tell of a change under different names.

    What says which content it is goes into the stamp alone where there is one: a listing and a look at one file differ
    in how exactly, in which zone and with what else they tell the time.
    """
    content = next((info[mark] for mark in _ETAGS if info.get(mark)), None)
    changed = next((info[mark] for mark in _TIMES if info.get(mark)), 0)
    changed_s = changed.timestamp() if hasattr(changed, "timestamp") else changed
    mtime_ns = int(changed_s * 1e9) if isinstance(changed_s, int | float) else 0
    marks = (info.get("size"), str(changed_s) if content is None else content)
    stamp = hashlib.blake2b(repr(marks).encode(), digest_size=16).hexdigest()
    return FoundFile(filesystem.unstrip_protocol(info["name"]), info.get("size") or 0, mtime_ns, stamp)


def _check_url_inside(url: str, roots: Sequence[str] | None) -> None:
    """Compare by name only: a store has no links to resolve, but ``..`` and chained URLs could lead out."""
    if roots is None:
        return
    inside = any(is_url(root) and f"{url}/".startswith(root.rstrip("/") + "/") for root in roots)
    if not inside or "::" in url or ".." in url.split("/"):
        raise SufficeError(f"{url!r} lies outside the allowed folders ({', '.join(map(repr, roots))})")
