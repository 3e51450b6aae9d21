"""EvaDB: LOAD VIDEO and a Python function; its function cache keeps results."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import evadb
from nanodet import CLIP, STORE

os.chdir(STORE)
opening = time.perf_counter()
cursor = evadb.connect(f"{STORE}/evadb").cursor()
started = time.perf_counter()
if "clip" not in str(cursor.query("SHOW TABLES").df()).lower():
    cursor.query(f"LOAD VIDEO '{CLIP}' INTO clip;").df()
    function = Path(__file__).with_name("evadb_function.py")
    cursor.query(f"CREATE FUNCTION IF NOT EXISTS NanoDet IMPL '{function}';").df()
frame = cursor.query("SELECT id, NanoDet(data) FROM clip;").df()
rows = [
    (int(row["clip.id"] if "clip.id" in row else row["id"]), label, float(score))
    for _, row in frame.iterrows()
    for label, score in zip(
        row.get("nanodet.labels", row.get("labels")), row.get("nanodet.scores", row.get("scores")), strict=True
    )
]
sys.stdout.flush()
print("\n" + json.dumps({"open_s": started - opening, "seconds": time.perf_counter() - started, "rows": rows}))
