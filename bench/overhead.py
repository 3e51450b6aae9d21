"""Engine overhead: detect() over the packaged clip in SQL, against a loop a good engineer writes by hand.

The loop decodes with PyAV, resizes with Pillow, runs onnxruntime in batches with all cores, and reads the same boxes.
Both start from nothing cached. Frames are limited by --frames (0: the whole clip). The loop is measured twice: with
batches of 8, and with one frame at a time, which is the harder rival where a net gains nothing from batches.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import onnxruntime
from PIL import Image
from report import in_turn, ratio, save

import suffice
from suffice.assets import asset_path

CLIP = str(asset_path("pedestrians.mp4"))
BATCH = 8


def by_hand(frames: int, batch_size: int = BATCH) -> list[tuple[int, str, float]]:
    """The loop: decode, batch, infer, post-process (the same head as the package's, so that rows are equal)."""
    from suffice.models.detect import IOU_MAX, SIDE, STRIDES, labelled_rows, labels
    from suffice.models.found_boxes import settle
    from suffice.models.gfl_head import read_gfl_head

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    session = onnxruntime.InferenceSession(str(asset_path("nanodet_g_416.onnx")), options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    mean = np.array([103.53, 116.28, 123.675], np.float32)
    std = np.array([57.375, 57.12, 58.395], np.float32)
    rows = []
    for batch in batches(decoded(frames), batch_size):
        small = [
            np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for _, image in batch
        ]
        tensor = (np.stack(small)[..., ::-1].astype(np.float32) - mean) / std
        outputs = session.run(None, {"image": np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))})
        for i, (index, image) in enumerate(batch):
            found = read_gfl_head({n: v[i] for n, v in zip(names, outputs, strict=True)}, SIDE, STRIDES, 0.5)
            size_wh = (image.shape[1], image.shape[0])
            rows += [
                (index, row[1], row[2])
                for row in labelled_rows(settle(found, (SIDE, SIDE), size_wh, IOU_MAX), labels())
            ]
    return rows


def decoded(frames: int) -> Iterator[tuple[int, Any]]:
    with av.open(CLIP) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if frames and index >= frames:
                return
            yield index, frame.to_ndarray(format="rgb24")


def batches(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def in_sql(frames: int) -> list[tuple[int, str, float]]:
    where = f"WHERE f.frame_index < {frames}" if frames else ""
    with suffice.connect(progress=False) as con:
        return con.sql(
            f"SELECT f.frame_index, o.label, o.score FROM frames('{CLIP}') f, detect(f.image) o {where}"
        ).fetchall()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    ours, other = in_sql(chosen.frames), by_hand(chosen.frames)
    assert sorted((i, label) for i, label, _ in ours) == sorted((i, label) for i, label, _ in other), "rows differ"
    save("overhead", [compared(chosen.frames, chosen.rounds, len(ours), size) for size in (BATCH, 1)])


def compared(frames: int, rounds: int, rows: int, batch_size: int) -> dict[str, Any]:
    a, b = in_turn(lambda: in_sql(frames), lambda: by_hand(frames, batch_size), rounds)
    return {
        "rival": f"by hand, batches of {batch_size}",
        "frames": frames or 795,
        "rows": rows,
        "ours_s": statistics.median(a),
        "by_hand_s": statistics.median(b),
        "ratio": ratio(a, b),
        "target": 1.10,
    }


if __name__ == "__main__":
    main()
