"""``suffice serve mcp``: tools for assistants, over standard input and output (Model Context Protocol).

An assistant may only ask (never change anything), sees the price before it pays, and every question has a budget of
model calls that it cannot exceed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import suffice
from suffice.connection import Connection
from suffice.errors import SufficeError
from suffice.models.plain import plain
from suffice.serve.as_json import result_json
from suffice.serve.problems import HttpError
from suffice.serve.settings import Role
from suffice.serve.statements import check_statement

INSTRUCTIONS = (
    "Ask questions of video, pictures, documents and tables in DuckDB's SQL. frames('*.mp4'), images('*'), pages('*')"
    " and texts('*') are tables; models are functions, such as FROM frames('a.mp4', fps => 1) f, detect(f.image) o."
    " Explain first: it says how many model calls a question takes. WITHIN 5% CONFIDENCE 95% at the end of an"
    " aggregate gives an interval for far fewer calls."
)
ROWS_MAX = 200


def create_mcp(connection: Connection, calls_max: int) -> Any:
    """A server of `connection`; no question may cause more than `calls_max` model calls."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("suffice", instructions=INSTRUCTIONS, version=suffice.__version__, log_level="ERROR")

    def ask(query: str, budget_calls: int = calls_max, rows: int = 50) -> dict[str, Any]:
        """Run one SELECT. Returns rows, the guarantee (null when exact), and the work it took.

        Args:
            query: DuckDB's SQL with media tables and models.
            budget_calls: most model calls this question may cause; it is refused before it spends more.
            rows: most rows to return.
        """
        connection.limit(max_calls=max(0, min(budget_calls, calls_max)))
        return result_json(connection.sql(query), max(1, min(rows, ROWS_MAX)))

    def explain(query: str) -> str:
        """The plan of a SELECT as a tree, with the model calls and seconds it would take. Costs nothing."""
        return connection.explain(query)

    def words() -> dict[str, Any]:
        """Models that can be called (columns in and out) and the tables and views there are."""
        models = connection.sql("SELECT name, inputs, outputs, returns FROM models WHERE problem IS NULL")
        tables = connection.sql("SELECT table_name, column_name FROM information_schema.columns")
        return {
            "models": [dict(zip(models.columns, row, strict=True)) for row in models.fetchall()],
            "columns": plain(tables.fetchall()),
            "views": connection.views,
        }

    for tool in (ask, explain, words):
        server.add_tool(_guarded(tool))
    return server


def _guarded(tool: Callable[..., Any]) -> Callable[..., Any]:
    """`tool` with statements checked, and errors as the one line they are."""
    from functools import wraps

    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def guarded(*arguments: Any, **named: Any) -> Any:
        try:
            if "query" in named:
                check_statement(named["query"], Role.RUN)
            return tool(*arguments, **named)
        except HttpError as error:
            raise ToolError(error.detail) from None
        except SufficeError as error:
            raise ToolError(str(error)) from None

    return guarded
