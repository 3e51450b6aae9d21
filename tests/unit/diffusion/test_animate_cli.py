"""``suffice animate`` and ``suffice inpaint``: the contract's flags and JSON, and settings that come back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from tiny_diffusion import tiny_checkpoint
from typer.testing import CliRunner

from suffice.assets import asset_path
from suffice.cli.app import app
from suffice.diffusion.clip.source import open_source
from suffice.errors import SufficeError
from suffice.media.decode_frames import decode_frames
from suffice.media.index_video import index_video
from suffice.media.write import write_video

COMMON = ["--steps", "2", "--device", "cpu"]


def _json(arguments: list[str]) -> dict[str, Any]:
    run = CliRunner().invoke(app, [*arguments, "--json"])
    if run.exception is not None and not isinstance(run.exception, SystemExit):
        raise run.exception
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def test_a_clip_from_a_timeline_file_and_another_like_it(tmp_path: Path) -> None:
    (tmp_path / "line.txt").write_text("0: a\n4: b\nnegative: c\ntravel: slerp closed\n")
    first = tmp_path / "first.mp4"
    model = ["--model", str(tiny_checkpoint())]
    said = [
        "--timeline",
        str(tmp_path / "line.txt"),
        "--frames",
        "8",
        "--context",
        "4",
        "--overlap",
        "2",
        "--loop",
        "A",
    ]
    answer = _json(["animate", *model, *said, "--seed", "5", *COMMON, "--out", str(first)])
    assert set(answer) == {"frames", "file", "seconds", "peak_memory_bytes", "settings"}
    assert answer["frames"] == 8 and answer["file"] == str(first) and answer["peak_memory_bytes"] > 10**7
    assert answer["settings"]["timeline"].startswith("0: a\n4: b")
    like = _json(["animate", "--like", str(first), "--device", "cpu", "--out", str(tmp_path / "again")])
    assert like["settings"] == answer["settings"]
    other = _json(["animate", "--like", str(first), "--seed", "6", "--device", "cpu", "--out", str(tmp_path / "other")])
    assert other["settings"] == {**answer["settings"], "seed": 6}
    again, changed = (np.stack(list(open_source(str(tmp_path / n)).read(range(8)))) for n in ("again", "other"))
    assert not np.array_equal(again, changed)


def test_inpaint_leaves_the_rest_alone(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 30:45] = 255
    PIL.Image.fromarray(picture).save(tmp_path / "a.png")
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    out = tmp_path / "b.png"
    said = ["--mask", str(tmp_path / "mask.png"), "--prompt", "a cat", "--model", str(tiny_checkpoint())]
    answer = _json(["inpaint", str(tmp_path / "a.png"), *said, *COMMON, "--out", str(out)])
    assert answer["frames"] == 1 and answer["settings"]["only_masked"] is True
    painted = np.asarray(PIL.Image.open(out))
    assert np.array_equal(painted[mask == 0], picture[mask == 0])
    assert not np.array_equal(painted[mask > 0], picture[mask > 0])


def test_what_words_find_is_painted(tmp_path: Path) -> None:
    street = str(asset_path("pedestrians.mp4"))
    frames = [picture for _, picture in decode_frames(street, [50, 52, 54], index_video(street))]
    write_video(str(tmp_path / "street.mp4"), frames, 5)
    PIL.Image.fromarray(frames[0]).save(tmp_path / "street.png")
    said = ["--model", str(tiny_checkpoint()), *COMMON]
    out = tmp_path / "empty.png"
    answer = _json(["inpaint", str(tmp_path / "street.png"), "--mask", "text:person", "--prompt", "a", *said,
                    "--out", str(out)])  # fmt: skip
    mask = np.asarray(PIL.Image.open(answer["settings"]["mask"])) > 0
    painted = np.asarray(PIL.Image.open(out))
    assert 1000 < mask.sum() < mask.size / 8 and np.array_equal(painted[~mask], frames[0][~mask])
    assert not np.array_equal(painted[mask], frames[0][mask])
    clip = ["animate", "--init", str(tmp_path / "street.mp4"), "--frames", "2", "--timeline", "a", "--only-masked"]
    clip += said
    answer = _json([*clip, "--mask", "text:person", "--out", str(tmp_path / "empty.gif")])
    track = Path(answer["settings"]["mask"]).read_text().splitlines()
    assert len(track) == answer["frames"] == 2
    for mask_, error in (("text:", "empty"), ("text:zebra", "nothing like 'zebra'"), ("text:qqqq", "knows nothing")):
        with pytest.raises(SufficeError, match=error):
            _json([*clip, "--mask", mask_, "--out", str(tmp_path / "no.gif")])


def test_a_grid_over_two_settings(tmp_path: Path) -> None:
    axes = ["--x", "guidance=1,5", "--y", "seed=1,2,3"]
    model = ["--model", str(tiny_checkpoint()), "--timeline", "a", "--frames", "1"]
    answer = _json(["animate", *model, *axes, *COMMON, "--out", str(tmp_path / "grid.png")])
    assert answer["frames"] == 1
    assert np.asarray(PIL.Image.open(tmp_path / "grid.png")).shape == (3 * (16 + 14) + 4, 2 * 16 + 2, 3)


def test_a_preview_is_there_when_the_clip_is(tmp_path: Path) -> None:
    said = [
        "--model",
        str(tiny_checkpoint()),
        "--timeline",
        "a",
        "--frames",
        "2",
        "--preview",
        str(tmp_path / "so.png"),
    ]
    _json(["animate", *said, *COMMON, "--out", str(tmp_path / "clip.gif")])
    assert np.asarray(PIL.Image.open(tmp_path / "so.png")).shape == (16, 16, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.gif", "so.png"]


def test_interrupted_while_decoding_it_keeps_the_frames_that_are_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import suffice.diffusion.animator as module

    def stops(vae: Any, latents: Any) -> Any:
        yield from (np.full((16, 16, 3), grey, np.uint8) for grey in (0, 90, 180))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "decode_latents", stops)
    said = ["animate", "--model", str(tiny_checkpoint()), "--timeline", "a", "--frames", "6", *COMMON]
    run = CliRunner().invoke(app, [*said, "--out", str(tmp_path / "clip.gif")])
    assert run.exit_code == 130
    assert open_source(str(tmp_path / "clip.gif")).count == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scheduler", "eulr", "--out", "x.mp4"], "did you mean 'euler'"),
        (["--out", "x.mpg"], "clips are written as"),
        (["--timeline", "0: a\n99: b", "--out", "x.mp4"], "key at frame 99, but the clip ends at frame 15"),
        (["--x", "sead=1", "--out", "x.mp4"], "did you mean 'seed'"),
        (["--like", "nothing.mp4", "--out", "x.mp4"], "there is no 'nothing.mp4'"),
    ],
)
def test_errors_name_what_and_where(arguments: list[str], said: str) -> None:
    with pytest.raises(SufficeError, match=said):
        _json(["animate", "--model", str(tiny_checkpoint()), *COMMON, *arguments])


def test_the_command_line_stays_light() -> None:
    code = (
        "import sys, suffice.cli.app; sys.exit(any(m in sys.modules for m in ('torch', 'diffusers', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
