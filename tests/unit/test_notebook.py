"""The cell magic, in a real IPython shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "suffice")
    return shell


def test_a_cell_is_asked_and_kept(shell: Any) -> None:
    result = shell.run_cell_magic("suffice", "--into kept", "SELECT 6 * 7 AS answer")
    assert result.fetchall() == [(42,)] and shell.user_ns["kept"] is result
    assert "<table>" in result._repr_html_()


def test_a_connection_of_the_notebook_is_used(shell: Any) -> None:
    shell.run_cell("import suffice; con = suffice.connect(); town = suffice.connect('town.suffice')")
    shell.run_cell_magic("suffice", "", "CREATE TABLE seen AS SELECT 1 AS n")
    assert shell.user_ns["con"].sql("FROM seen").fetchall() == [(1,)]
    shell.run_cell_magic("suffice", "town", "CREATE TABLE there AS SELECT 2 AS n")
    assert shell.user_ns["town"].sql("FROM there").fetchall() == [(2,)]


@pytest.mark.parametrize("line", ["--into", "--into 1x", "a b"])
def test_the_form_is_told(shell: Any, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    from suffice import UsageError

    with pytest.raises(UsageError, match="%%suffice"):
        shell.find_cell_magic("suffice")(line, "SELECT 1")
