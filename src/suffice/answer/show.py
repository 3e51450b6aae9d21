"""An answer in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.answer.readable import readable

if TYPE_CHECKING:
    from rich.console import Console

    from suffice.answer.result import Result


def print_result(result: Result, rows: int, console: Console | None = None) -> None:
    """Print the first `rows` rows as a table, then the guarantee and the work."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, header_style="bold")
    head = result.head(rows)
    for i, name in enumerate(result.columns):
        is_number = any(isinstance(row[i], int | float) for row in head)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in head:
        table.add_row(*(_text(value) for value in row))
    console = console or Console()
    console.print(table)
    count = len(result)
    if count > len(head):
        console.print(f"… {count:,} rows", style="dim")
    console.print(str(result.guarantee or "exact"), "·", str(result.work), style="dim", highlight=False)


def _text(value: Any) -> str:
    from rich.markup import escape

    return escape(f"{value:.6g}" if isinstance(value, float) else readable(value))
