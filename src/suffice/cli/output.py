"""What every command shares: one JSON object on stdout, or text; warnings and progress on stderr."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

Sample = Annotated[
    bool, typer.Option("--sample", help="Sample tables even where reading everything is predicted to be as fast.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Project = Annotated[Path | None, typer.Option(help="A suffice.toml with media, models, roots, budget and store.")]
OptionalTarget = Annotated[
    str | None,
    typer.Option(
        "--db", help="DuckDB file, :memory:, postgresql://…, chdb://…, or a folder or URL of Parquet.", metavar="TARGET"
    ),
]
Target = Annotated[
    str,
    typer.Option(
        "--db", help="DuckDB file, :memory:, postgresql://…, chdb://…, or a folder or URL of Parquet.", metavar="TARGET"
    ),
]


def print_json(value: Mapping[str, Any]) -> None:
    """Print `value` as the command's one JSON object."""
    print(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> Any:
    """What JSON has no word for: numbers as numbers, everything else as text."""
    import decimal

    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray):
        return value.hex()
    return str(value)


@contextmanager
def warnings_on_stderr() -> Iterator[None]:
    """Each distinct warning once, as a line."""
    from suffice.errors import SufficeWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SufficeWarning)
        try:
            yield
        finally:
            for line in dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, SufficeWarning)):
                print(f"warning: {line}", file=sys.stderr)
