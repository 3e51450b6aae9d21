"""``%load_ext suffice``, then ``%%suffice [TARGET] [--into NAME]`` on top of a cell of SQL."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.answer.result import Result
    from suffice.connection import Connection

_FORM = "%%suffice [TARGET] [--into NAME]"


def load_ipython_extension(shell: Any) -> None:
    """Called by ``%load_ext suffice``."""
    connections: dict[str, Connection] = {}

    def suffice(line: str, cell: str) -> Result:
        """Ask the cell; the answer is shown, and kept under the name given with --into."""
        target, name = _arguments(line)
        result = _connection(shell, connections, target).sql(cell)
        if name:
            shell.user_ns[name] = result
        return result

    shell.register_magic_function(suffice, "cell")


def _arguments(line: str) -> tuple[str, str | None]:
    words = shlex.split(line)
    name = None
    if "--into" in words:
        at = words.index("--into")
        name = words[at + 1] if at + 1 < len(words) else ""
        del words[at : at + 2]
        if not name.isidentifier():
            raise UsageError(f"--into takes a name: {_FORM}")
    if len(words) > 1:
        raise UsageError(f"one target at most: {_FORM}")
    return (words[0] if words else ""), name


def _connection(shell: Any, connections: dict[str, Connection], target: str) -> Connection:
    """The connection of that name in the notebook, else one opened (once) for the target; by default `con`."""
    from suffice.connection import Connection, connect

    named = shell.user_ns.get(target or "con")
    if isinstance(named, Connection):
        return named
    if target not in connections:
        connections[target] = connect(target or None)
    return connections[target]
