"""The same detection in suffice, Daft, Pixeltable and EvaDB: rows, seconds cold, and again in a new process.

Each peer runs in an environment of its own, made under --home on first use, with the detector of
bench/peers/nanodet.py.
Three spans of each run: the question itself, on an open store; opening the store; and the whole process, start-up and
imports included. All run with byte code written, as installed packages have it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import av
from report import save

from suffice.assets import asset_path

FOLDER = Path(__file__).parent / "peers"
PEERS = {
    "suffice": ("ours.py", None),
    "Daft 0.7.26": ("daft_peer.py", "daft==0.7.26 av"),
    "Pixeltable 0.7.21": ("pixeltable_peer.py", "pixeltable==0.7.21"),
    "EvaDB 0.3.9": ("evadb_peer.py", "evadb==0.3.9 eva-decord opencv-python-headless numpy<2"),
}


def environment(home: Path, name: str, packages: str | None) -> str:
    if packages is None:
        return sys.executable
    folder = home / name.split()[0].lower()
    if not folder.exists():
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *packages.split(), "onnxruntime", "pillow"], check=True)
    return str(folder / "bin" / "python")


def cut(clip: Path, frames: int) -> None:
    """The first `frames` frames, packets as they are."""
    with av.open(str(asset_path("pedestrians.mp4"))) as source, av.open(str(clip), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for count, packet in enumerate(source.demux(video=0)):
            if count >= frames or packet.dts is None:
                break
            packet.stream = stream
            target.mux(packet)


def run(python: str, script: str, clip: Path, frames: int, store: str) -> dict[str, Any]:
    arguments = [
        str(clip),
        str(asset_path("nanodet_g_416.onnx")),
        str(asset_path("coco_labels.txt")),
        str(frames),
        store,
    ]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(
        [python, str(FOLDER / script), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environ,
    )
    process_s = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1][:200])
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**answer, "process_s": process_s}


def measure(
    name: str, script: str, packages: str | None, home: Path, clip: Path, frames: int, rounds: int
) -> dict[str, Any]:
    try:
        python = environment(home, name, packages)
        cold, warm = [], []
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as store:
                cold.append(run(python, script, clip, frames, store))
                warm.append(run(python, script, clip, frames, store))
    except (RuntimeError, subprocess.SubprocessError) as error:
        return {"peer": name, "problem": " ".join(str(error).split())}
    spans = {"": "seconds", "_open": "open_s", "_process": "process_s"}
    return {
        "peer": name,
        **{f"cold{span}_s": statistics.median(one[key] for one in cold) for span, key in spans.items()},
        **{f"warm{span}_s": statistics.median(one[key] for one in warm) for span, key in spans.items()},
        "rows": sorted((index, label, round(score, 3)) for index, label, score in warm[-1]["rows"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "suffice-peers")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        cut(clip, chosen.frames)
        measured = [
            measure(name, script, packages, chosen.home, clip, chosen.frames, chosen.rounds)
            for name, (script, packages) in PEERS.items()
        ]
    ours = measured[0]["rows"]
    for row in measured:
        if "rows" in row:
            found = row.pop("rows")
            row["rows"] = len(found)
            row["rows_equal"] = [r[:2] for r in found] == [r[:2] for r in ours]
            for run_of in ("cold", "warm"):
                row[f"{run_of}_ratio"] = measured[0][f"{run_of}_s"] / row[f"{run_of}_s"]
                opened = [one[f"{run_of}_s"] + one[f"{run_of}_open_s"] for one in (measured[0], row)]
                row[f"{run_of}_with_open_ratio"] = opened[0] / opened[1]
                row[f"{run_of}_process_ratio"] = measured[0][f"{run_of}_process_s"] / row[f"{run_of}_process_s"]
    save("peers", measured)


if __name__ == "__main__":
    main()
