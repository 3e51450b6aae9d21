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
    python, made = str(folder / "bin" / "python"), folder / "made"
    if not made.exists() or made.read_text() != packages:  # a half-made one is made again
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages.split(), "onnxruntime", "pillow"], check=True)
        made.write_text(packages)
    return python


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


Runs = dict[str, list[dict[str, Any]]]
"""Cold and warm runs of one peer."""


def measure(rounds: int, home: Path, clip: Path, frames: int) -> tuple[dict[str, Runs], dict[str, str]]:
    """Every peer once a round, so that a machine that slows down slows all; and what went wrong with which."""
    runs: dict[str, Runs] = {name: {"cold": [], "warm": []} for name in PEERS}
    problems: dict[str, str] = {}
    for number in range(rounds):
        for name, (script, packages) in PEERS.items():
            if name in problems:
                continue
            try:
                python = environment(home, name, packages)
                with tempfile.TemporaryDirectory() as store:
                    for kind in ("cold", "warm"):
                        runs[name][kind].append(run(python, script, clip, frames, store))
            except (RuntimeError, subprocess.SubprocessError, OSError) as error:
                problems[name] = " ".join(str(error).split())
            spans = [f"{kind} {each[-1]['seconds']:.2f} s" for kind, each in runs[name].items() if each]
            print(f"round {number + 1}: {name}: {problems.get(name) or ', '.join(spans)}", file=sys.stderr, flush=True)
    return runs, problems


def medians(name: str, runs: Runs) -> dict[str, Any]:
    spans = {"": "seconds", "_open": "open_s", "_process": "process_s"}
    return {
        "peer": name,
        **{
            f"{kind}{span}_s": statistics.median(one[key] for one in each)
            for kind, each in runs.items()
            for span, key in spans.items()
        },
        "rows": sorted((index, label, round(score, 3)) for index, label, score in runs["warm"][-1]["rows"]),
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
        runs, problems = measure(chosen.rounds, chosen.home, clip, chosen.frames)
    if "suffice" in problems:
        raise SystemExit(f"suffice: {problems['suffice']}")
    measured = [
        {"peer": name, "problem": problems[name]} if name in problems else medians(name, each)
        for name, each in runs.items()
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
