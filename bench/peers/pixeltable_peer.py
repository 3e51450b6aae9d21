"""Pixeltable: a view of frames and a computed column, which is kept."""

from __future__ import annotations

import json
import os
import sys
import time

from nanodet import CLIP, STORE

os.environ["PIXELTABLE_HOME"] = f"{STORE}/pixeltable"
import pixeltable as pxt
from pixeltable.functions.video import frame_iterator
from pixeltable_function import detect

opening = time.perf_counter()
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
print("\n" + json.dumps({"open_s": started - opening, "seconds": time.perf_counter() - started, "rows": rows}))
