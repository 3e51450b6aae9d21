"""The whole loop, end to end: every chapter keeps what it says, and the page is whole, on a phone and in the dark."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

for _needed in ("torch", "diffusers", "transformers", "sklearn"):
    pytest.importorskip(_needed)

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The page of ``suffice tour --quick``, and the facts of its chapters by their titles."""
    folder = tmp_path_factory.mktemp("tour")
    command = [sys.executable, "-m", "suffice", "tour", "--quick", "--json"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout)
    return folder / told["page"], {chapter["title"]: chapter for chapter in told["chapters"]}


def test_each_chapter_keeps_its_word(tour: tuple[Path, dict[str, Any]]) -> None:
    page, chapters = tour
    asked = chapters["Ask a street"]
    low, high = asked["interval"]
    assert low <= asked["people"] <= high <= 1.25 / 0.75 * low  # within 25% of anything the truth may be
    assert asked["frames_looked_at"] < asked["frames"] and asked["cached"] > 0
    assert 15 <= asked["moment_s"] <= 20

    assert chapters["Mask and follow what was found"]["things"] >= 4
    painted = chapters["Erase it, or paint something else there"]
    assert painted["pixels_changed"] > 0 and painted["pixels_changed_outside"] == 0
    rested = chapters["Let what has settled rest"]
    assert rested["flops_executed"] <= 0.52 * rested["flops_dense"] and rested["mean_difference"] > 0
    learnt = chapters["Train where the data lives"]
    assert learnt["rounds"] == 6 and learnt["accuracy"] > 0.2  # a tenth is chance
    used = chapters["Ask with what was learnt"]
    assert used["pictures_read"] < 80 and used["held"] is True
    assert (page.parent / "digits" / "report.html").exists()


def test_the_page_needs_nothing_else(tour: tuple[Path, dict[str, Any]]) -> None:
    text = tour[0].read_text(encoding="utf-8")
    assert all(f"id='chapter-{number}'" in text for number in range(1, 7))
    sources = re.findall(r"(?:src|href)='([^']{0,30})", text)
    assert sources and all(source.startswith(("data:", "#chapter-")) for source in sources)
    assert "<script" not in text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")
@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1200, "light")])
def test_the_page_in_a_browser(tour: tuple[Path, dict[str, Any]], width: int, scheme: Any) -> None:
    pytest.importorskip("axe_playwright_python")
    with ThreadPoolExecutor(1) as own:  # the other browser tests keep a loop running in this thread
        said, found = own.submit(_looked_at, tour[0], width, scheme).result()
    assert said == [] and found.violations_count == 0, (said, found.generate_report())


def _looked_at(path: Path, width: int, scheme: Any) -> tuple[list[str], Any]:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        found = Axe().run(page)
        browser.close()
    return said, found
