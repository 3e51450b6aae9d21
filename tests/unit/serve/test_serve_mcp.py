"""Assistants ask over the Model Context Protocol: a real client, a real process."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


def talk(folder: Path, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """The answers of a server over `folder` to tool calls, one after the other."""
    command = ["-m", "suffice", "serve", "mcp", "--db", ":memory:", "--root", str(folder), "--calls", "3"]
    parameters = StdioServerParameters(command=sys.executable, args=command, cwd=str(folder))

    async def run() -> list[Any]:
        async with Client(stdio_client(parameters)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            return [tools, *[await client.call_tool(name, arguments) for name, arguments in calls]]

    return asyncio.run(run())


def test_an_assistant_asks_within_its_budget(folder: Path) -> None:
    tools, exact, dear, change, outside, plan = talk(
        folder,
        ("ask", {"query": "SELECT 6 * 7 AS answer"}),
        ("ask", {"query": f"SELECT embed(image) FROM frames('{folder}/clip.mp4')", "budget_calls": 99}),
        ("ask", {"query": "CREATE TABLE t (x INTEGER)"}),
        ("ask", {"query": f"FROM read_csv('{folder.parent}/secret.csv')"}),
        ("explain", {"query": f"SELECT embed(image) FROM images('{folder}/*.png')"}),
    )
    assert set(tools) == {"ask", "explain", "words"}
    assert json.loads(exact.content[0].text)["rows"] == [[42]]
    assert dear.is_error and "4" in dear.content[0].text and "budget allows 3" in dear.content[0].text
    assert change.is_error and "admin" in change.content[0].text
    assert outside.is_error and "hidden" not in outside.content[0].text
    assert "2 inputs" in plan.content[0].text
