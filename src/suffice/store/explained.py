"""What goes wrong in the database, said in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from suffice.errors import SufficeError, UsageError

_LONGEST = 400


@contextmanager
def explained() -> Iterator[None]:
    """Nothing but :class:`SufficeError` leaves the block when DuckDB or the parser fails. Also a decorator."""
    import duckdb
    from sqlglot.errors import SqlglotError

    try:
        yield
    except duckdb.ConnectionException as error:
        raise SufficeError("the connection is closed" if "closed" in str(error) else one_line(error)) from None
    except duckdb.Error as error:
        raise SufficeError(one_line(error)) from None
    except SqlglotError as error:
        raise UsageError(f"cannot read the statement: {one_line(error)}") from None
    except RecursionError:
        raise UsageError("the statement is nested too deeply to be read") from None
    except UnicodeEncodeError as error:
        raise UsageError(f"not valid text (a lone surrogate at character {error.start}): it cannot be UTF-8") from None


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C while DuckDB works is a KeyboardInterrupt; DuckDB's own word for it is a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise


def one_line(error: BaseException) -> str:
    """The message without the quoted statement, hints and candidates kept."""
    kept: list[str] = []
    for line in str(error).splitlines():
        if line.startswith("LINE "):
            break
        kept += [line.strip()] if line.strip() else []
    text = re.sub(r" Candidate bindings: .*\b(input_id|row_index)\b.*", "", " ".join(kept))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
