"""PostgreSQL as the store: everything a DuckDB file keeps, and two processes that pay once between them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from paid_model import ROWS, ask
from postgres_server import missing, postgres_server

import suffice
from suffice.assets import asset_path

pytestmark = [pytest.mark.server, pytest.mark.skipif(bool(missing()), reason=missing())]
CLIP = asset_path("pedestrians.mp4")
SCRIPT = str(Path(__file__).with_name("paid_model.py"))


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with postgres_server() as server:
        yield server


def test_models_over_media_are_kept(dsn: str) -> None:
    question = (
        "SELECT f.frame_index, o.label, round(o.score, 3), tag(f.image), embed(f.image)[1:2], classify(f.image)"
        f" FROM frames('{CLIP}', fps => 0.05) f, detect(f.image) o ORDER BY ALL"
    )
    with suffice.connect(dsn, progress=False) as con:
        first = con.sql(question)
        assert first.work.model_calls["detect"].done == 4
        rows = first.fetchall()
    with suffice.connect(dsn, progress=False) as con:
        again = con.sql(question)
        assert {name: (w.done, w.cached) for name, w in again.work.model_calls.items()} == dict.fromkeys(
            ("detect", "tag", "embed", "classify"), (0, 4)
        )
        assert again.fetchall() == rows
    with suffice.connect(progress=False) as con:
        assert con.sql(question).fetchall() == rows


def test_two_processes_pay_once(dsn: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with suffice.connect(dsn, progress=False) as con:
        con.sql(f"CREATE TABLE numbers AS SELECT i AS x FROM range({ROWS}) r(i)")
    both = [
        subprocess.Popen([sys.executable, SCRIPT, dsn, str(ledger), "0.02"], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120)[0].strip() for process in both]
    assert answers == [f"[({ROWS}, {ROWS * (ROWS - 1)})]"] * 2
    assert sorted(map(int, ledger.read_text().splitlines())) == list(range(ROWS))
    later = tmp_path / "later"
    assert ask(dsn, str(later), 0.0)[0][0] == ROWS and not later.exists()


def test_a_wrong_address_is_one_line_without_the_password() -> None:
    with pytest.raises(suffice.SufficeError) as caught:
        suffice.connect("postgresql://me:secret@127.0.0.1:1/nowhere")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value) and "127.0.0.1:1" in str(caught.value)
