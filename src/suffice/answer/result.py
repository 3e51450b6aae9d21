"""An answer: rows in every shape people want them, the promise that goes with them, and what they took."""

from __future__ import annotations

import contextlib
import itertools
import re
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.answer.guarantee import Guarantee
from suffice.answer.work import Work
from suffice.store.database import Database, quote
from suffice.store.explained import explained, interruptible

if TYPE_CHECKING:
    import duckdb
    import pandas
    import polars
    import pyarrow as pa

    from suffice.models.protocol import Image

_NUMBERS = itertools.count(1)
_NUMBERED = re.compile(r"_\d+$")

Pixels = Callable[[str], "Image"]
"""An image reference to its pixels."""


class Result:
    """The rows of an answer.

    They rest in a temporary table, so every method may be called any number of times and a large answer
    does not have to fit into memory.

    Attributes:
        guarantee: None when the answer is exact.
        work: rows, bytes, model calls and seconds it took.
        statement: what was asked, without the target, where there was one.
    """

    statement: str | None = None

    def __init__(
        self,
        database: Database,
        select: str,
        work: Work,
        pixels: Pixels,
        guarantee: Guarantee | None = None,
        columns: list[str] | None = None,
    ) -> None:
        self._database, self._pixels = database, pixels
        self.work, self.guarantee = work, guarantee
        self._table = f"temp.suffice_result_{next(_NUMBERS)}"
        with database.lock, interruptible():
            ((self._count,),) = database.connection.execute(f"CREATE TEMP TABLE {self._table} AS {select}").fetchall()
            weakref.finalize(self, _drop, database, self._table)
            self._names = columns or _names(database.connection, self._table, select)

    @property
    def columns(self) -> list[str]:
        """Column names, in order."""
        return list(self._names)

    def __len__(self) -> int:
        return int(self._count)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())

    @explained()
    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows as tuples of Python values."""
        return self._database.rows(f"FROM {self._table}")

    @explained()
    def fetchone(self) -> tuple[Any, ...] | None:
        """The first row, or None."""
        rows = self._database.rows(f"FROM {self._table} LIMIT 1")
        return rows[0] if rows else None

    @explained()
    def arrow(self) -> pa.Table:
        """The rows as a :class:`pyarrow.Table`."""
        with self._database.lock:
            table = self._database.connection.execute(f"FROM {self._table}").to_arrow_table()
        return table.rename_columns(self._names)

    @explained()
    def df(self) -> pandas.DataFrame:
        """The rows as a :class:`pandas.DataFrame`."""
        with self._database.lock:
            frame = self._database.connection.execute(f"FROM {self._table}").df()
        frame.columns = self._names
        return frame

    def pl(self) -> polars.DataFrame:
        """The rows as a :class:`polars.DataFrame`."""
        import polars

        frame = polars.from_arrow(self.arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def image(self, reference: str) -> Image:
        """Pixels of an image in the rows: uint8 ``[height, width, 3]``, RGB."""
        return self._pixels(reference)

    def show(self, rows: int = 20) -> None:
        """Print the first rows, the guarantee and the work."""
        from suffice.answer.show import print_result

        print_result(self, rows)

    def write_page(self, path: str | Path, title: str = "suffice", query: str = "") -> None:
        """Write the first rows, their pictures included, as one HTML file."""
        from suffice.answer.page import page, result_html

        Path(path).write_text(page(title, query, result_html(self)), encoding="utf-8")

    def _repr_html_(self) -> str:
        from suffice.answer.page import result_html

        return result_html(self)

    @explained()
    def head(self, rows: int, *, offset: int = 0) -> list[tuple[Any, ...]]:
        """`rows` rows, the first ones or those after `offset`."""
        return self._database.rows(f"FROM {self._table} LIMIT {int(rows)} OFFSET {int(offset)}")

    def __repr__(self) -> str:
        names = ", ".join(map(quote, self._names))
        return f"<Result {len(self):,} rows × {len(self._names)} columns ({names}); {self.work}>"


def _names(connection: duckdb.DuckDBPyConnection, table: str, select: str) -> list[str]:
    """The column names of `select`, kept in `table`, where DuckDB has numbered those that were there before."""
    names = connection.table(table).columns
    if any(_NUMBERED.search(name) for name in names):
        return [row[0] for row in connection.execute(f"DESCRIBE {select}").fetchall()]
    return names


def _drop(database: Database, table: str) -> None:
    import duckdb

    with contextlib.suppress(duckdb.Error):  # a closed connection took its temporary tables with it
        database.rows(f"DROP TABLE IF EXISTS {table}")
