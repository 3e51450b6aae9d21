"""suffice: one statement; the store keeps what it computed."""

from __future__ import annotations

import json
import time

from nanodet import CLIP, STORE

import suffice

suffice.connect().sql("SELECT 1")  # imports, which the others did above
started = time.perf_counter()
with suffice.connect(f"{STORE}/ours.suffice", progress=False) as con:
    rows = con.sql(f"SELECT f.frame_index, o.label, o.score FROM frames('{CLIP}') f, detect(f.image) o").fetchall()
print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))
