"""The catalogue of media: which files there are, what is in them, and the tables SQL sees of them.

`sync` looks at the files a media function names, reads the ones that are new or changed, and leaves a temporary
table with one row a frame, picture, page or text. Only headers are read: pixels wait for a model or a user.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.errors import MediaError, SufficeWarning, UsageError, nearest
from suffice.store.database import Database, constant_sql

if TYPE_CHECKING:
    from suffice.media.load import Located
    from suffice.media.probe import Blob as Probed
    from suffice.media.scan import FoundFile
    from suffice.media.sniff import Kind


@dataclass(frozen=True)
class Medium:
    """What one media function gives: its kind of file, its columns, and the options it takes."""

    kind: Kind
    columns: Mapping[str, str]
    options: tuple[str, ...] = ()


_PICTURE = {"width": "b.width", "height": "b.height"}
MEDIA: Mapping[str, Medium] = {
    "frames": Medium(
        "video",
        {
            "frame_index": "b.blob_index",
            "time_s": "b.time_s",
            "key_frame": "b.key_frame",
            "image": "b.image",
            **_PICTURE,
        },
        ("fps", "start_s", "end_s", "key_frames_only"),
    ),
    "images": Medium("image", {"image": "b.image", **_PICTURE, "size_bytes": "f.size_bytes"}),
    "pages": Medium("document", {"page_index": "b.blob_index", "image": "b.image", **_PICTURE, "text": "b.text"}),
    "texts": Medium("text", {"text_index": "b.blob_index", "text": "b.text", "size_bytes": "f.size_bytes"}),
}


@dataclass(frozen=True)
class MediaTable:
    """A media function call, bound: the temporary table that holds its rows.

    `version` changes with the rows; None when nothing can be said about tomorrow's.
    """

    function: str
    table: str
    columns: tuple[str, ...]
    version: int | None = None


@dataclass(frozen=True)
class _File:
    path: str
    stamp: str
    size_bytes: int
    hash: str | None
    problem: str | None


Blob = tuple[int, str | None, float | None, bool | None, int | None, int | None, str | None]
"""blob_index, image, time_s, key_frame, width, height, text."""


class Catalogue:
    """What is known of the files under the configured roots."""

    def __init__(self, database: Database, roots: Sequence[str | Path] | None = None) -> None:
        self._database = database
        self._roots = None if roots is None else [str(root) for root in roots]
        self._bound: dict[str, tuple[int, MediaTable]] = {}
        self._versions = 0
        self._paths: dict[Kind, dict[str, _File]] = {}

    def sync(
        self, function: str, pattern: str, options: Mapping[str, Any], on_file: Callable[[str], None]
    ) -> MediaTable:
        """The rows of ``function('pattern', options…)`` as they are now."""
        from suffice.media.scan import expand

        medium = MEDIA[function]
        for option in options:
            if option not in medium.options:
                known = ", ".join(medium.options) or "none"
                raise UsageError(
                    f"{function}() has no option {option!r}{nearest(option, medium.options)}; it takes: {known}"
                )
        found = expand(pattern, self._roots)
        files = self._read_changed(medium.kind, found, pattern, on_file)
        return self._table(function, pattern, options, files)

    def locate(self, file_hash: str) -> Located:
        """Where a content is now; raises :class:`MediaError` when no path has it any more."""
        from suffice.media.load import Located
        from suffice.media.scan import is_inside

        rows = self._database.rows(
            f"SELECT path, stamp FROM {self._database.schema}.paths WHERE hash = ? ORDER BY path", [file_hash]
        )
        for path, stamp in rows:
            if _still_there(str(path)) and is_inside(str(path), self._roots):
                return Located(str(path), str(stamp))
        names = ", ".join(str(path) for path, _ in rows if is_inside(str(path), self._roots)) or "no path"
        raise MediaError(f"the file of this image is gone: it was last seen at {names}")

    def _read_changed(
        self, kind: Kind, found: list[FoundFile], pattern: str, on_file: Callable[[str], None]
    ) -> list[_File]:
        from suffice.media.wants import wants

        known = self._known_paths(kind)
        files, fresh = [], []
        for entry in found:
            file = known.get(printable(entry.path))
            if file is None or file.stamp != entry.stamp:
                if not wants(entry, pattern, kind):
                    continue
                on_file(entry.path)
                file, blobs = self._read(kind, entry)
                fresh.append((file, blobs))
            files.append(file)
        if fresh:
            self._keep(kind, fresh)
            known.update((file.path, file) for file, _ in fresh)
        for file in files:
            if file.problem:
                warnings.warn(file.problem, SufficeWarning, stacklevel=2)
        return [file for file in files if file.hash]

    def _known_paths(self, kind: Kind) -> dict[str, _File]:
        """Read once: what another process adds meanwhile is only looked at again here."""
        if kind not in self._paths:
            rows = self._database.rows(
                f"SELECT path, stamp, size_bytes, hash, problem FROM {self._database.schema}.paths WHERE kind = ?",
                [kind],
            )
            self._paths[kind] = {row[0]: _File(*row) for row in rows}  # type: ignore[arg-type,misc]
        return self._paths[kind]

    def _read(self, kind: Kind, entry: FoundFile) -> tuple[_File, list[Blob]]:
        """What is in a file. One that breaks off is read as far as it goes, and a problem as well."""
        from suffice.media.kept_index import keep_index
        from suffice.media.probe import probe
        from suffice.media.scan import content_hash

        name = printable(entry.path)
        if name != entry.path:
            return _File(name, entry.stamp, entry.size_bytes, None, f"{name!r}: its name is not UTF-8, rename it"), []
        try:
            probed = probe(entry.path, kind)
            if probed.video is not None:
                keep_index(entry.path, entry.stamp, probed.video)
            file_hash = content_hash(entry.path)
            blobs = list(_BLOBS[kind](probed, file_hash))
        except MediaError as error:
            return _File(entry.path, entry.stamp, entry.size_bytes, None, str(error)), []
        problem = f"{entry.path!r}: {probed.problem}" if probed.problem else None
        return _File(entry.path, entry.stamp, entry.size_bytes, file_hash, problem), blobs

    def _keep(self, kind: Kind, fresh: list[tuple[_File, list[Blob]]]) -> None:
        schema, rows = self._database.schema, self._database.rows
        with self._database.writer.holding(0), self._database.transaction():
            for file, blobs in fresh:
                rows(f"DELETE FROM {schema}.paths WHERE path = ? AND kind = ?", [file.path, kind])
                rows(
                    f"INSERT INTO {schema}.paths VALUES (?, ?, ?, ?, ?, ?)",
                    [file.path, kind, file.stamp, file.size_bytes, file.hash, file.problem],
                )
                if file.problem:
                    rows(
                        f"INSERT INTO {schema}.problems VALUES (now()::TIMESTAMP, ?, NULL, ?)",
                        [file.path, file.problem],
                    )
                if file.hash:
                    self._keep_content(kind, file.hash, blobs)

    def _keep_content(self, kind: Kind, file_hash: str, blobs: list[Blob]) -> None:
        import pyarrow as pa

        schema, connection = self._database.schema, self._database.connection
        rows = self._database.rows
        if rows(f"SELECT 1 FROM {schema}.contents WHERE hash = ? AND kind = ?", [file_hash, kind]):
            return
        ((highest,),) = rows(f"SELECT coalesce(max(blob_base + blob_count), 0) FROM {schema}.contents")
        base = int(str(highest))
        rows(f"INSERT INTO {schema}.contents VALUES (?, ?, ?, ?)", [file_hash, kind, base, len(blobs)])
        if not blobs:
            return
        columns = [pa.array(list(column)) for column in zip(*blobs, strict=True)]
        batch = pa.table([pa.array(range(base, base + len(blobs))), *columns], names=["id", *"ijtkwhx"])
        connection.register("suffice_batch", batch)
        connection.execute(
            f"INSERT INTO {schema}.blobs SELECT id, {_sql(file_hash)}, i, j, t, k, w, h, x FROM suffice_batch"
        )
        connection.unregister("suffice_batch")

    def _table(self, function: str, pattern: str, options: Mapping[str, Any], files: list[_File]) -> MediaTable:
        """The temporary table of these files, rebuilt only when one of them changed."""
        key = json.dumps([function, pattern, dict(options)], sort_keys=True, default=str)
        listing = hash(tuple((file.path, file.hash) for file in files))
        bound = self._bound.get(key)
        if bound is not None and bound[0] == listing:
            return bound[1]
        medium = MEDIA[function]
        self._versions += 1
        table = f"temp.suffice_media_{self._versions}"  # a new name: a ROLLBACK of the user's brings old tables back
        columns = ", ".join(f"{source} AS {name}" for name, source in medium.columns.items())
        with self._database.lock:
            connection = self._database.connection
            with _files_sql(connection, files) as listed:
                connection.execute(
                    f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT f.path, {columns}, b.blob_id"
                    f" FROM {listed} f JOIN {self._database.schema}.blobs b"
                    f" ON b.hash = f.hash AND {self._chosen(function, options, files)}"
                    " ORDER BY f.path, b.blob_id"
                )
            if bound is not None:
                connection.execute(f"DROP TABLE IF EXISTS {bound[1].table}")
        media = MediaTable(function, table, ("path", *medium.columns, "blob_id"), self._versions)
        self._bound[key] = (listing, media)
        return media

    def forget_tables(self) -> None:
        """The temporary tables are gone; each is made again when it is asked for."""
        self._bound.clear()

    def _chosen(self, function: str, options: Mapping[str, Any], files: list[_File]) -> str:
        """Which blobs of a file the options choose, as an SQL condition on ``b``."""
        kinds = f"b.image LIKE '{_PREFIX[MEDIA[function].kind]}:%'" if function != "texts" else "b.image IS NULL"
        if not options:
            return kinds
        wanted = [blob_id for file in files for blob_id in self._selected_frames(file, options)]
        return f"{kinds} AND list_contains([{', '.join(map(str, wanted))}]::BIGINT[], b.blob_id)" if wanted else "false"

    def _selected_frames(self, file: _File, options: Mapping[str, Any]) -> list[int]:
        """The blobs of a video that `options` choose."""
        from suffice.media.kept_index import kept_index
        from suffice.media.select_frames import select_frames

        ((base,),) = self._database.rows(
            f"SELECT blob_base FROM {self._database.schema}.contents WHERE hash = ? AND kind = 'video'", [file.hash]
        )
        chosen = select_frames(kept_index(file.path, file.stamp), **options)
        return [int(str(base)) + int(i) for i in chosen]


_PREFIX = {"video": "vid", "image": "img", "document": "doc"}


@contextmanager
def _files_sql(connection: Any, files: list[_File]) -> Iterator[str]:
    """A relation of these files as SQL: written out when they are few, for importing pyarrow takes a while."""
    if 0 < len(files) <= _WRITTEN_OUT_MAX:
        rows = (", ".join(map(constant_sql, (f.path, f.hash, f.size_bytes))) for f in files)
        yield f"(SELECT * FROM (VALUES {', '.join(f'({row})' for row in rows)}) v(path, hash, size_bytes))"
        return
    connection.register("suffice_files", _files_table(files))
    try:
        yield "suffice_files"
    finally:
        connection.unregister("suffice_files")


_WRITTEN_OUT_MAX = 256


def _files_table(files: list[_File]) -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "path": pa.array([file.path for file in files], pa.string()),
            "hash": pa.array([file.hash for file in files], pa.string()),
            "size_bytes": pa.array([file.size_bytes for file in files], pa.int64()),
        }
    )


def _sql(file_hash: str) -> str:
    return f"'{file_hash}'"


def printable(path: str) -> str:
    """`path` with the bytes that are not UTF-8 escaped."""
    return path.encode("utf-8", "backslashreplace").decode()


def _still_there(path: str) -> bool:
    return "://" in path or Path(path).exists()


def _video_blobs(probed: Probed, file_hash: str) -> Iterable[Blob]:
    index = probed.video
    assert index is not None
    for i, (time_s, key) in enumerate(zip(index.time_s.tolist(), index.key_frame.tolist(), strict=True)):
        yield i, f"vid:{file_hash}#{i}", time_s, key, index.width, index.height, None


def _image_blobs(probed: Probed, file_hash: str) -> Iterable[Blob]:
    yield 0, f"img:{file_hash}", None, None, probed.width, probed.height, None


def _document_blobs(probed: Probed, file_hash: str) -> Iterable[Blob]:
    from suffice.media.document import page_text

    for i, (width, height) in enumerate(probed.page_sizes):
        yield i, f"doc:{file_hash}#{i}", None, None, round(width), round(height), page_text(probed.path, i)


def _text_blobs(probed: Probed, file_hash: str) -> Iterable[Blob]:
    from suffice.media.text import read_texts

    for chunk in read_texts(probed.path):
        yield chunk.chunk_index, None, None, None, None, None, chunk.text


_BLOBS: Mapping[str, Callable[[Probed, str], Iterable[Blob]]] = {
    "video": _video_blobs,
    "image": _image_blobs,
    "document": _document_blobs,
    "text": _text_blobs,
}
