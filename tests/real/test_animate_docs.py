"""The page on animating prints what it shows, with the weights that ship."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suffice.assets import asset_path

ROOT = Path(__file__).parents[2]
PAGE = "docs/animate.md"


@pytest.mark.skipif(not (asset_path("pocket") / "unet").is_dir(), reason="the pocket weights are not in this checkout")
def test_the_page_prints_what_it_shows() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "scripts" / "fill_docs.py"), "--check", PAGE]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr[-2000:] + f"\nrun: python scripts/fill_docs.py {PAGE}"
