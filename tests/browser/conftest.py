"""A Chromium, a server on a folder with the packaged clip, and a page that must stay silent."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "real" / "serve"))

from playwright.sync_api import Browser, Page, sync_playwright
from serving import serving

from suffice.assets import asset_path

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on the PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a studio over the packaged clip."""
    folder = tmp_path_factory.mktemp("studio")
    shutil.copy(asset_path("pedestrians.mp4"), folder / "pedestrians.mp4")
    scene = np.full((240, 320, 3), (200, 190, 170), np.uint8)
    scene[80:160, 60:140] = (40, 60, 160)
    Image.fromarray(scene).save(folder / "scene.png")
    with serving(folder=folder) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test when it writes an error to the console."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where screenshots are kept for people to look at: the folder in SCREENSHOTS, if that is set."""
    return Path(os.environ["SCREENSHOTS"]) if "SCREENSHOTS" in os.environ else None
