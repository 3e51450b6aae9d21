"""The command line: JSON and nothing else, exit codes, one line for what goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from suffice.assets import asset_path

CLIP = asset_path("pedestrians.mp4")


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suffice", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, check=False)


def as_json(*arguments: str, cwd: Path | None = None) -> Any:
    done = run(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_sql_json(tmp_path: Path) -> None:
    question = (
        f"SELECT f.frame_index, count(*) AS n FROM frames('{CLIP}', fps => 0.05) f, detect(f.image) o GROUP BY ALL"
    )
    for done, cached in ((4, 0), (0, 4)):
        answer = as_json("sql", question, "--db", str(tmp_path / "t.suffice"))
        assert answer["columns"] == ["frame_index", "n"] and len(answer["rows"]) == 4
        assert answer["guarantee"] is None
        calls = answer["work"]["model_calls"]["detect"]
        assert (calls["done"], calls["cached"], calls["skipped"]) == (done, cached, 0)
        assert {"rows_read", "bytes_read", "seconds"} <= answer["work"].keys()


def test_store_and_models(tmp_path: Path) -> None:
    target = str(tmp_path / "t.suffice")
    as_json("sql", f"SELECT classify(image) FROM frames('{CLIP}', fps => 0.02)", "--db", target)
    summary = as_json("store", "--db", target)
    assert summary["calls"][0]["model"] == "classify" and summary["bytes"] > 0
    assert as_json("store", "drop", "--db", target, "--model", "classify") == {"dropped_inputs": 2}
    listed = {model["name"]: model for model in as_json("models")["models"]}
    assert listed["detect"]["returns"] == "rows" and listed["classify"]["inputs"] == "image IMAGE"


def test_explain_and_html(tmp_path: Path) -> None:
    question = f"SELECT image, nsfw(image) FROM frames('{CLIP}', fps => 0.02)"
    plan = as_json("explain", question)["plan"]
    assert any("nsfw" in line and "2 inputs" in line for line in plan)
    run("sql", question, "--html", str(tmp_path / "a.html"))
    assert (tmp_path / "a.html").read_text().count("<img") == 2


def test_a_failed_request_is_one_line_and_1() -> None:
    done = run("sql", "SELECT detct(image) FROM frames('nowhere.mp4')")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("suffice: ") and done.stderr.count("\n") == 1


def test_wrong_usage_is_2() -> None:
    assert run("sql").returncode == 2
    assert run("no-such-command").returncode == 2
    for arguments in (("bench", "no-such"), ("mask", "a.png", "--point", "here", "--out", "masks")):
        done = run(*arguments)
        assert done.returncode == 2 and done.stderr.startswith("suffice: ") and done.stderr.count("\n") == 1


def test_a_benchmark_gets_the_words_after_two_dashes() -> None:
    done = run("bench", "warm", "--", "--help")
    assert done.returncode == 0 and "--rounds" in done.stdout
    assert run("bench", "warm", "--", "--no-such-option").returncode == 1


def test_json_has_no_word_for_not_a_number() -> None:
    done = run("sql", "SELECT 'nan'::DOUBLE AS a, '-inf'::DOUBLE AS b, 1.50 AS c, '\\xFF'::BLOB AS d", "--json")
    answer = json.loads(done.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert answer["rows"] == [[None, None, 1.5, "ff"]]


def test_project_file(tmp_path: Path) -> None:
    (tmp_path / "street").mkdir()
    shutil.copy(CLIP, tmp_path / "street" / "a.mp4")
    (tmp_path / "suffice.toml").write_text(
        """
[store]
target = "town.suffice"
[media.street]
kind = "frames"
pattern = "street/*.mp4"
fps = 0.05
[models.sure]
using = "detect"
options = { min_score = 0.75 }
[budget]
max_calls = 3
"""
    )
    statements = as_json("check", cwd=tmp_path)["statements"]
    assert any("CREATE OR REPLACE MODEL" in s for s in statements) and any("VIEW" in s for s in statements)
    project = ("--project", "suffice.toml")
    assert as_json("sql", "SELECT count(*) FROM street", *project, cwd=tmp_path)["rows"] == [[4]]
    refused = run("sql", "SELECT count(*) FROM street s, sure(s.image) o", *project, cwd=tmp_path)
    assert refused.returncode == 1 and "max_calls" in refused.stderr
    few = as_json(
        "sql", "SELECT count(*) FROM street s, sure(s.image) o WHERE s.frame_index < 500", *project, cwd=tmp_path
    )
    assert few["work"]["model_calls"]["sure"]["done"] == 3
    assert (tmp_path / "town.suffice").exists()


def test_demo(tmp_path: Path) -> None:
    answer = as_json("demo", "--out", str(tmp_path))
    assert answer["rows"][0][2] == 8 and len(answer["rows"]) == 6
    assert all(Path(path).stat().st_size > 10_000 for path in answer["files"].values())


def in_browser(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """What Chromium makes of a page, as HTML, and what it logs."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", "--virtual-time-budget=5000"]
    flags += [f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--dump-dom"]
    return subprocess.run(
        ["chromium", *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "HOME": str(folder)},
    )


def with_script(page: Path, script: str) -> None:
    page.write_text(page.read_text().replace("</body>", f"<script>{script}</script></body>"))


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_the_page_shows_its_pictures_in_a_browser(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    run("sql", f"SELECT image, nsfw(image) FROM frames('{CLIP}', fps => 0.02)", "--html", str(page))
    with_script(page, "window.onload=()=>{document.title=[...document.images].map(i=>i.naturalWidth).join()}")
    dumped = in_browser(page, tmp_path)
    assert "<title>320,320</title>" in dumped.stdout, dumped.stderr[-500:]
    assert "CONSOLE" not in dumped.stderr


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_the_page_fits_a_phone(tmp_path: Path) -> None:
    """390 px wide: nothing scrolls sideways, pictures are as wide as the page, values have their column's name."""
    page, phone = tmp_path / "a.html", tmp_path / "phone.html"
    columns = "image, path, frame_index, time_s, key_frame, width, height, repeat('long ', 40) AS note"
    run("sql", f"SELECT {columns} FROM frames('{CLIP}', fps => 0.02)", "--html", str(page))
    with_script(
        page,
        "window.onload=()=>{const t=document.querySelector('.suffice'),i=document.images[0].getBoundingClientRect(),"
        "n=getComputedStyle(document.querySelector('td.n'),'::before').content;"
        "parent.postMessage([innerWidth,document.documentElement.scrollWidth<=innerWidth,t.scrollWidth<=t.clientWidth,"
        "i.width>300&&i.right<=innerWidth,n].join('|'),'*')}",
    )
    phone.write_text(
        "<!doctype html><title>waiting</title><script>onmessage=e=>{document.title=e.data}</script>"
        "<iframe width=390 height=844 style='border:0' src='a.html'></iframe>"
    )
    dumped = in_browser(phone, tmp_path)
    assert '<title>390|true|true|true|"frame_index"</title>' in dumped.stdout, (
        dumped.stdout[:200] + dumped.stderr[-300:]
    )
