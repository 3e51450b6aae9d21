"""What every command shares: one JSON object on stdout, or text; warnings and progress on stderr."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from suffice.errors import UsageError

Answer = TypeVar("Answer")

Sample = Annotated[
    bool, typer.Option("--sample", help="Sample tables even where reading everything is predicted to be as fast.")
]
Engine = Annotated[
    str, typer.Option(help="Where models run: local, ray or ray://HOST:PORT, with ?workers=N.", metavar="ENGINE")
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


class CommandLineError(UsageError):
    """The options do not fit together: exit code 2, as for an option that does not exist."""


def print_json(value: Mapping[str, Any]) -> None:
    """Print `value` as the command's one JSON object."""
    from suffice.models.plain import plain

    print(json.dumps(plain(value), ensure_ascii=False, allow_nan=False))


def shown(answers: Iterable[Answer], what: str, count: int) -> Iterable[Answer]:
    """`answers` with a bar on a terminal, when there is something to wait for."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(answers, what, count, console=console) if count > 1 and console.is_terminal else answers


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
