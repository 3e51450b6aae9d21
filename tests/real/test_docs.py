"""The documentation is true: every statement runs and prints what stands below it; every folder has its sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from fill_docs import BLOCK, PAGES  # noqa: E402


@pytest.mark.parametrize("page", PAGES)
def test_page_prints_what_it_shows(page: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "scripts" / "fill_docs.py"), "--check", page]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert run.returncode == 0, run.stdout + run.stderr[-2000:] + f"\nrun: python scripts/fill_docs.py {page}"


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_something(page: str) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    outputs = [body for _, kind, body in blocks if kind == "text"]
    assert outputs and all(body.strip() for body in outputs)


def test_links_and_pictures_exist() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_structure_names_every_folder_and_no_other() -> None:
    named = set(re.findall(r"^\| `(src/suffice[^`]*)` \|", (ROOT / "docs" / "structure.md").read_text(), re.MULTILINE))
    there = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "src" / "suffice").rglob("*.py")}
    assert named == there
