"""The examples, run as they are, with what they must find."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import chain
import nsfw_folder
import pedestrians
import scans
import similar

import suffice
from suffice.assets import asset_path
from suffice.models.classify import classify
from suffice.models.detect import detect


def test_pedestrians(tmp_path: Path) -> None:
    crowded, nearest = pedestrians.ask(tmp_path)
    assert crowded.fetchall()[0][0] == 70
    assert all(5 < people < 9 for _, people in crowded.fetchall())
    assert nearest.work.model_calls["detect"].done == 0
    heights = [row[2] for row in nearest.fetchall()]
    assert heights == sorted(heights, reverse=True) and heights[0] > 150


def test_scans_finds_exactly_the_pages_with_the_word(tmp_path: Path) -> None:
    scans.make(tmp_path)
    found = scans.ask(tmp_path)
    expected = {
        (name, index)
        for name, pages in scans.SCANS.items()
        for index, page in enumerate(pages)
        if "invoice" in " ".join(page).lower()
    } | {("typed.pdf", 0)}
    assert {(Path(path).name, index) for path, index, *_ in found.fetchall()} == expected
    assert found.work.model_calls["ocr"].done == sum(map(len, scans.SCANS.values()))


def test_similar_finds_the_copy_of_each(tmp_path: Path) -> None:
    similar.make(tmp_path / "pictures")
    nearest = {Path(a).name: Path(b).name for _, _, a, b, _ in similar.ask(tmp_path / "pictures").fetchall()}
    for picture, copy in (
        ("chelsea.png", "chelsea_turned.jpg"),
        ("coffee.png", "coffee_dark.png"),
        ("rocket.png", "rocket_cut.jpg"),
    ):
        assert nearest[picture] == copy and nearest[copy] == picture


def test_nsfw_folder_judges_all_and_names_the_broken_one(tmp_path: Path) -> None:
    nsfw_folder.make(tmp_path)
    with pytest.warns(suffice.SufficeWarning, match="broken.png"):
        verdicts, problems = nsfw_folder.ask(tmp_path)
    assert {row[3] for row in verdicts.fetchall()} == {"show"} and len(verdicts) == len(nsfw_folder.NAMES)
    assert [Path(path).name for path, _ in problems.fetchall()] == ["broken.png"]


def test_chain_equals_a_loop_by_hand(tmp_path: Path) -> None:
    """frames -> detect -> crop -> classify, with the models called one picture at a time."""
    result = chain.ask(tmp_path)
    con = suffice.connect()
    detector, classifier = detect(), classify()
    expected = []
    frames = con.sql(f"SELECT image, time_s FROM frames('{asset_path('pedestrians.mp4')}', fps => 0.5)").fetchall()
    for image, time_s in frames:
        pixels = con.image(image)
        (rows,) = detector.predict([detector.prepare(pixels)])
        assert not isinstance(rows, Exception)
        for _, label, score, x0, y0, x1, y1 in rows:
            if label != "person" or y1 - y0 <= 90:
                continue
            part = pixels[max(int(y0 // 1), 0) : int(-(-y1 // 1)), max(int(x0 // 1), 0) : int(-(-x1 // 1))]
            (answer,) = classifier.predict([classifier.prepare(part)])
            assert not isinstance(answer, Exception)
            if answer[0][0] in ("Windsor tie", "abaya", "bulletproof vest", "cloak"):
                expected.append((time_s, round(score, 5), answer[0][0]))
    found = [(time_s, round(score, 5), name) for _, time_s, score, name, _ in result.fetchall()]
    assert sorted(found) == sorted(expected) and len(found) > 10
    assert result.work.model_calls["tag"].skipped > result.work.model_calls["tag"].done


@pytest.mark.parametrize("example", [pedestrians, scans])
def test_main_writes_a_page(example: object, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example.main(tmp_path)  # type: ignore[attr-defined]
    (page,) = tmp_path.glob("*.html")
    assert page.read_text().count("data:image/jpeg") >= 3
