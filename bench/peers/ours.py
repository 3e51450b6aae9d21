"""suffice: one statement; the store keeps what it computed."""

from __future__ import annotations

import json
import time

from nanodet import CLIP, STORE

import suffice
import suffice.answer.exact
import suffice.media.scan
import suffice.models.detect

suffice.connect().sql("SELECT 1")  # the rest of what the others import with themselves
opening = time.perf_counter()
with suffice.connect(f"{STORE}/ours.suffice", progress=False) as con:
    started = time.perf_counter()
    rows = con.sql(f"SELECT f.frame_index, o.label, o.score FROM frames('{CLIP}') f, detect(f.image) o").fetchall()
    seconds = time.perf_counter() - started
print(json.dumps({"open_s": started - opening, "seconds": seconds, "rows": rows}))
