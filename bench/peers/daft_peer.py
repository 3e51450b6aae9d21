"""Daft: its reader of video frames and a batch UDF. It keeps no results, so a second run computes again."""

from __future__ import annotations

import json
import time

import daft
from nanodet import CLIP, find

FOUND = daft.DataType.list(daft.DataType.struct({"label": daft.DataType.string(), "score": daft.DataType.float64()}))


@daft.udf(return_dtype=FOUND, batch_size=8)
def detect(images: daft.Series) -> list[list[dict[str, object]]]:
    return [[{"label": label, "score": score} for label, score in find(image)] for image in images.to_pylist()]


started = time.perf_counter()
frames = daft.read_video_frames(CLIP, image_height=576, image_width=768)
found = frames.select("frame_index", detect(daft.col("data")).alias("found")).to_pydict()
rows = [
    (index, one["label"], one["score"])
    for index, several in zip(found["frame_index"], found["found"], strict=True)
    for one in several
]
print(json.dumps({"open_s": 0.0, "seconds": time.perf_counter() - started, "rows": rows}))
