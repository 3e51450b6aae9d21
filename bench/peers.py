"""The same detection in suffice, Daft, Pixeltable and EvaDB: rows, seconds cold, and again in a new process.

Each peer runs in an environment of its own, made under --home on first use, with the detector of
bench/peers/nanodet.py.
Seconds are of the work inside the process, without start-up and imports.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
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
    "EvaDB 0.3.9": ("evadb_peer.py", "evadb==0.3.9 eva-decord"),
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
    done = subprocess.run(
        [python, str(FOLDER / script), *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1][:200])
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


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
    return {
        "peer": name,
        "cold_s": statistics.median(one["seconds"] for one in cold),
        "warm_s": statistics.median(one["seconds"] for one in warm),
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
            row["cold_ratio"] = measured[0]["cold_s"] / row["cold_s"]
            row["warm_ratio"] = measured[0]["warm_s"] / row["warm_s"]
    save("peers", measured)


if __name__ == "__main__":
    main()
