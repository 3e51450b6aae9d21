"""The head of a scramble: its first rows a second time, in a Parquet file beside the database.

DuckDB stores 122,880 rows of a column together, and to find any of them reads what the file says of all. A question
that a few of them answer reads the head instead, whose row groups are small. The rows are the same, so the draw and the
answer are: a head that was deleted, or belongs to another state of the scramble, only costs bytes. Which one belongs is
told by its name, a stamp that the store keeps with the scramble.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from suffice.store.database import heads_folder, literal, quote
from suffice.tables.growing_run import GROUPS_LEAST
from suffice.tables.reader import Reader
from suffice.tables.source import GROUP, ROWS_PER_GROUP, SID

HEAD_GROUP = ROWS_PER_GROUP // 4
"""Rows of a row group of a head."""

_SHARE, _GROUPS_MOST = 16, 4
"""Of a table's row groups, one in so many is in its head, and so many at most."""

_HELD = re.compile(r"U?(TINY|SMALL|BIG)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN|DATE|TIMESTAMP|VARCHAR")
"""Types that Parquet gives back as they were."""


_OURS = re.compile(r"[0-9a-f]{32}(\.half)?")


@dataclass(frozen=True)
class Head:
    """Attributes:
    file: the DuckDB file that the scramble is in.
    stamp: which of the heads beside it is this one, if it is there.
    columns: that it holds, in lower case.
    """

    file: str
    stamp: str
    columns: Collection[str]

    @property
    def path(self) -> str:
        return f"{heads_folder(self.file)}/{self.stamp}"

    def holds(self, columns: Collection[str]) -> bool:
        """Whether it is there, with all of `columns`."""
        return {column.lower() for column in columns} <= {*self.columns} and os.path.exists(self.path)

    @property
    def relation_sql(self) -> str:
        """What stands for the copy in FROM."""
        return f"read_parquet({literal(self.path)}, hive_partitioning = false)"


def head_rows(rows: int, certain: int) -> int:
    """How many rows at the start of a scramble its head has; 0 where a table has too few to tell the difference."""
    groups = (rows - certain) // ROWS_PER_GROUP
    if groups < GROUPS_LEAST:
        return 0
    return (-(-certain // ROWS_PER_GROUP) + min(groups // _SHARE, _GROUPS_MOST)) * ROWS_PER_GROUP


def head_columns(reader: Reader, copy: str) -> list[str]:
    """Those of a copy that a head can hold, in lower case; what a text is equal to may be said by its column."""
    names, types = reader.describe(f"SELECT * FROM {copy}")
    ((written,),) = reader.rows(f"SELECT coalesce(max(sql), '') FROM duckdb_tables() WHERE {_is_table(copy)}")
    held = {kind for kind in types if _HELD.fullmatch(kind)} - ({"VARCHAR"} if "COLLATE" in written else set())
    return [name.lower() for name, kind in zip(names, types, strict=True) if kind in held and name != GROUP]


def write_half(reader: Reader, copy: str, rows: int, columns: Collection[str]) -> str | None:
    """Write a new head under a name that nobody looks for; its stamp, or None where it cannot be written."""
    import duckdb

    stamp, file = uuid.uuid4().hex, reader.database.file
    half = _half(file, stamp)
    if re.search(r"[*?\[]", file):  # DuckDB would take it for a pattern
        return None
    names = ", ".join(map(quote, columns))
    first = f"SELECT {names} FROM {copy} WHERE {GROUP} < {rows // ROWS_PER_GROUP} ORDER BY {SID}"
    with suppress(OSError, duckdb.Error):
        half.parent.mkdir(exist_ok=True)
        half.touch(0o600)
        half.chmod(os.stat(file).st_mode & 0o666)
        reader.rows(f"COPY ({first}) TO {literal(str(half))} ({_FORMAT})")
        with half.open("rb") as written:
            os.fsync(written.fileno())
        return stamp
    return None


_FORMAT = (
    f"FORMAT parquet, PARQUET_VERSION v2, COMPRESSION snappy, ROW_GROUP_SIZE {HEAD_GROUP}, WRITE_BLOOM_FILTER false,"
    " USE_TMP_FILE false"
)


def finish(file: str, stamp: str) -> None:
    """Give a head its name, once the store names it."""
    with suppress(OSError):
        _half(file, stamp).rename(Head(file, stamp, ()).path)


def remove_others(file: str, stamps: Collection[str]) -> None:
    """Heads, and what is left of interrupted builds, that no scramble in `file` has."""
    with suppress(OSError):
        for found in Path(heads_folder(file)).iterdir():
            if _OURS.fullmatch(found.name) and found.name not in stamps:
                found.unlink()
        if not stamps:
            os.rmdir(heads_folder(file))


def _half(file: str, stamp: str) -> Path:
    return Path(heads_folder(file)) / f"{stamp}.half"


def _is_table(copy: str) -> str:
    from sqlglot import to_table

    catalog, schema, name = (literal(part.name) for part in to_table(copy, dialect="duckdb").parts)
    return f"database_name = {catalog} AND schema_name = {schema} AND table_name = {name}"
