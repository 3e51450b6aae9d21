"""A folder of tables in open formats, here or in an object store: which Parquet files each table is.

A table is a file ``name.parquet``, a folder ``name`` with Parquet files in it, a Delta table or an Iceberg table. Of
the last two the file list is taken (by ``deltalake`` and ``pyiceberg``), as of when the folder is opened; what files
alone do not say, such as deleted rows or renamed columns, makes a table unreadable rather than wrong.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suffice.errors import SufficeError, SufficeWarning

if TYPE_CHECKING:
    import duckdb

_REMOTE = re.compile(r"([a-z0-9+]{2,}):///?(?!.*::)")
_SAFE_DELTA_FEATURES = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}


@dataclass(frozen=True)
class LakeTable:
    """Attributes:
    files: paths or URLs.
    hive_types: DuckDB types of columns that only the folders' names hold (``day=2026-01-01``); None lets them be found.
    """

    files: Sequence[str]
    hive_types: dict[str, str] | None = None

    def scan_sql(self) -> str:
        """``read_parquet(…)`` of all files."""
        files = ", ".join(_text(file) for file in self.files)
        options = ", union_by_name = true" if len(self.files) > 1 else ""
        if self.hive_types is not None:
            kinds = ", ".join(f"{_text(name)}: {kind}" for name, kind in self.hive_types.items())
            options += (
                f", hive_partitioning = true, hive_types = {{{kinds}}}" if kinds else ", hive_partitioning = false"
            )
        return f"read_parquet([{files}]{options})"


@dataclass
class Lake:
    """Attributes:
    place: the folder or URL.
    filesystem: of fsspec; None for local folders.
    tables: by name.
    """

    place: str
    filesystem: Any
    tables: dict[str, LakeTable] = field(default_factory=dict)

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the tables views."""
        if self.filesystem is not None:
            connection.register_filesystem(self.filesystem)
        for name, table in self.tables.items():
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f"CREATE OR REPLACE VIEW {quoted} AS FROM {table.scan_sql()}")

    def files(self, name: str) -> Sequence[str]:
        """Of the table that SQL calls `name`; none when there is no such table."""
        return next((table.files for known, table in self.tables.items() if known.lower() == name.lower()), ())

    def open(self, file: str) -> Any:
        """A seekable binary file."""
        return open(file, "rb") if self.filesystem is None else self.filesystem.open(file, "rb")

    def state(self, name: str) -> object:
        """Changes when the files of a table do."""
        return [(file, self._file_state(file)) for file in self.files(name)]

    def _file_state(self, file: str) -> object:
        if self.filesystem is None:
            return os.stat(file).st_mtime_ns, os.stat(file).st_size
        info = self.filesystem.info(file)
        return tuple(
            str(info.get(mark)) for mark in ("size", "ETag", "etag", "md5", "LastModified", "mtime", "created")
        )


def is_remote(target: str) -> bool:
    """Whether `target` is a URL that fsspec may know."""
    return _REMOTE.match(target) is not None


def open_lake(place: str) -> Lake:
    """The tables of a folder or URL; those that cannot be read are left out with a warning.

    Raises:
        SufficeError: there is no such place, or nothing to reach it with.
    """
    lake = _remote(place) if is_remote(place) else Lake(place.rstrip("/"), None)
    for name, read in _readers(lake):
        try:
            lake.tables[name] = read()
        except (SufficeError, ImportError) as problem:
            message = f"{lake.place}/{name} is left out: {str(problem).splitlines()[0]}"
            warnings.warn(message, SufficeWarning, stacklevel=3)
    return lake


def _remote(url: str) -> Lake:
    import fsspec

    try:
        filesystem, inner = fsspec.core.url_to_fs(url)
        if not filesystem.isdir(inner):
            raise SufficeError(f"{url} is no folder")
    except (ImportError, ValueError, OSError) as error:
        raise SufficeError(f"cannot reach {url}: {str(error).splitlines()[0]}") from None
    return Lake(filesystem.unstrip_protocol(inner).rstrip("/"), filesystem)


def _readers(lake: Lake) -> Iterator[tuple[str, Any]]:
    """(name, how to read it) of everything that may be a table."""
    for path in _listed(lake, lake.place):
        name = path.rstrip("/").rpartition("/")[2]
        if name.endswith(".parquet") and not _is_folder(lake, path):
            yield name.removesuffix(".parquet"), lambda path=path: LakeTable([path])
        elif not name.startswith(".") and _is_folder(lake, path):
            inside = {child.rstrip("/").rpartition("/")[2] for child in _listed(lake, path)}
            if "_delta_log" in inside:
                yield name, lambda path=path: _delta(path)
            elif "metadata" in inside and "data" in inside:
                yield name, lambda path=path: _iceberg(lake, f"{path}/metadata")
            elif files := _below(lake, path):
                yield name, lambda files=files: LakeTable(files)


def _listed(lake: Lake, folder: str) -> list[str]:
    if lake.filesystem is None:
        return sorted(os.path.join(folder, name) for name in os.listdir(folder))
    lake.filesystem.invalidate_cache()
    return sorted(lake.filesystem.unstrip_protocol(found) for found in lake.filesystem.ls(folder, detail=False))


def _is_folder(lake: Lake, path: str) -> bool:
    return os.path.isdir(path) if lake.filesystem is None else bool(lake.filesystem.isdir(path))


def _below(lake: Lake, folder: str) -> list[str]:
    """Parquet files below a folder; what hides behind a dot or an underscore is none of the table."""
    if lake.filesystem is None:
        found = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    else:
        found = [lake.filesystem.unstrip_protocol(each) for each in lake.filesystem.find(folder)]
    hidden = re.compile(r"/[._][^/]*")
    return sorted(f for f in found if f.endswith(".parquet") and not hidden.search(f[len(folder) :]))


def _delta(place: str) -> LakeTable:
    from deltalake import DeltaTable

    table = DeltaTable(place)
    protocol = table.protocol()
    unknown = set(protocol.reader_features or ()) - _SAFE_DELTA_FEATURES
    if unknown or protocol.min_reader_version == 2:  # 2 is column mapping
        raise SufficeError(f"Delta's {', '.join(sorted(unknown)) or 'columnMapping'} is not read from files alone")
    kinds = {column.name: column.type for column in table.schema().fields}
    hive = {name: _delta_type(kinds[name]) for name in table.metadata().partition_columns}
    return LakeTable(_some(table.file_uris()), hive)


_DELTA_TYPES = {"string": "VARCHAR", "long": "BIGINT", "integer": "INTEGER", "short": "SMALLINT", "byte": "TINYINT"}


def _delta_type(kind: Any) -> str:
    name = getattr(kind, "type", str(kind))
    return _DELTA_TYPES.get(name, name.upper())


def _iceberg(lake: Lake, metadata: str) -> LakeTable:
    from pyiceberg.table import StaticTable

    versions = [path for path in _listed(lake, metadata) if path.endswith(".metadata.json")]
    if not versions:
        raise SufficeError("Iceberg without a metadata.json")
    table = StaticTable.from_metadata(max(versions, key=_version))
    if len({tuple((f.field_id, f.name) for f in schema.fields) for schema in table.metadata.schemas}) > 1:
        raise SufficeError("an Iceberg table whose columns were changed is not read from files alone")
    tasks = list(table.scan().plan_files())
    if any(task.delete_files for task in tasks):
        raise SufficeError("an Iceberg table with deleted rows is not read from files alone")
    return LakeTable(_some([task.file.file_path.removeprefix("file://") for task in tasks]), {})


def _version(path: str) -> tuple[int, str]:
    digits = re.match(r"v?(\d+)", path.rpartition("/")[2])
    return int(digits.group(1)) if digits else -1, path


def _some(files: Sequence[str]) -> list[str]:
    if not files:
        raise SufficeError("it has no rows yet")
    return sorted(files)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
