"""Pixeltable: a view of frames and a computed column, which is kept."""

from __future__ import annotations

import json
import os
import sys
import time

from nanodet import CLIP, STORE, find

os.environ["PIXELTABLE_HOME"] = f"{STORE}/pixeltable"
import numpy as np
import PIL.Image
import pixeltable as pxt
from pixeltable.functions.video import frame_iterator


@pxt.udf
def detect(frame: PIL.Image.Image) -> pxt.Json:
    return [[label, score] for label, score in find(np.asarray(frame.convert("RGB")))]


pxt.init()
started = time.perf_counter()
if "frames" not in pxt.list_tables():
    videos = pxt.create_table("videos", {"video": pxt.Video})
    frames = pxt.create_view("frames", videos, iterator=frame_iterator(videos.video))
    frames.add_computed_column(found=detect(frames.frame))
    videos.insert([{"video": CLIP}])
frames = pxt.get_table("frames")
position = frames.pos
rows = [
    (row["pos"], label, score)
    for row in frames.select(pos=position, found=frames.found).collect()
    for label, score in row["found"]
]
sys.stdout.flush()
print("\n" + json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))
