"""DB-API 2.0 (PEP 249) over a connection, so that tools which speak it can ask with WITHIN.

``suffice.dbapi.connect(target)`` gives a connection whose cursors take every statement ``con.sql`` takes, parameters
(``?``) included; ``cursor.guarantee`` is what the last answer promises. Answers come as Arrow as well, by the methods
that cursors of ADBC have for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from suffice.errors import SufficeError, UsageError

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

    from suffice.answer.guarantee import Guarantee
    from suffice.answer.result import Result
    from suffice.connection import Connection as Asking

apilevel, threadsafety, paramstyle = "2.0", 1, "qmark"


class Warning(Exception):  # noqa: N818
    """Of PEP 249; never raised."""


Error = InterfaceError = DatabaseError = OperationalError = SufficeError
DataError = IntegrityError = InternalError = NotSupportedError = SufficeError
ProgrammingError = UsageError


def connect(target: str = ":memory:", **options: Any) -> Connection:
    """A DB-API connection to `target`; `options` as for :func:`suffice.connect`."""
    import suffice

    return Connection(suffice.connect(target, **options))


class Connection:
    """PEP 249's; `asking` is ours."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking

    def cursor(self) -> Cursor:
        return Cursor(self.asking)

    def commit(self) -> None:
        """Statements are committed one by one, unless a BEGIN is open: then COMMIT ends it."""

    def rollback(self) -> None:
        """As :meth:`commit`."""

    def close(self) -> None:
        self.asking.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Cursor:
    """PEP 249's."""

    arraysize = 1

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._rows: Iterator[tuple[Any, ...]] = iter(())
        self._result: Result | None = None
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.guarantee: Guarantee | None = None

    def execute(self, operation: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run one statement."""
        self._take(self._asking.sql(_bound(operation, parameters)))
        return self

    def executemany(self, operation: str, many: Sequence[Sequence[Any]]) -> None:
        """Once for each set of parameters."""
        for parameters in many:
            self.execute(operation, parameters)

    def _take(self, result: Result) -> None:
        rows, types, self._result = result.fetchall(), result.arrow().schema.types, result
        self.description = [
            (name, str(kind), None, None, None, None, None) for name, kind in zip(result.columns, types, strict=True)
        ]
        self.rowcount, self._rows, self.guarantee = len(rows), iter(rows), result.guarantee

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return [row for row, _ in zip(self._rows, range(size or self.arraysize), strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def fetch_arrow_table(self) -> pa.Table:
        """All rows of the last answer."""
        if self._result is None:
            raise ProgrammingError("nothing to fetch: execute a statement first")
        return self._result.arrow()

    def fetch_record_batch(self) -> pa.RecordBatchReader:
        """The same, batch by batch."""
        return self.fetch_arrow_table().to_reader()

    def fetch_df(self) -> pandas.DataFrame:
        """The same as a :class:`pandas.DataFrame`."""
        return self.fetch_arrow_table().to_pandas()

    def close(self) -> None:
        self._rows, self._result = iter(()), None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def setinputsizes(self, sizes: Any) -> None:
        """Nothing to set."""

    def setoutputsize(self, size: Any, column: Any = None) -> None:
        """Nothing to set."""


def _bound(operation: str, parameters: Sequence[Any]) -> str:
    """`operation` with each ``?`` outside strings replaced by a literal."""
    if not parameters:
        return operation
    from sqlglot.dialects.duckdb import DuckDB
    from sqlglot.tokenizer_core import TokenType

    places = [token for token in DuckDB().tokenize(operation) if token.token_type == TokenType.PLACEHOLDER]
    if len(places) != len(parameters):
        raise UsageError(f"{len(parameters)} parameters for {len(places)} question marks")
    for token, value in reversed(list(zip(places, parameters, strict=True))):
        operation = operation[: token.start] + _literal(value) + operation[token.end + 1 :]
    return operation


def _literal(value: Any) -> str:
    from sqlglot import exp

    return exp.convert(value).sql("duckdb")
