"""``suffice check``: is the project file right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.output import Json, print_json


def check(
    file: Annotated[Path, typer.Argument(help="The project file.")] = Path("suffice.toml"), json: Json = False
) -> None:
    """Validate a project file and print the SQL statements it is equal to."""
    from suffice.project import load_project, project_statements

    statements = project_statements(load_project(file))
    if json:
        print_json({"file": str(file), "statements": statements})
    else:
        print("\n".join(f"{statement};" for statement in statements) or "an empty project")
