"""How often intervals over hostile tables miss, at the confidence stated: each run draws from a new scramble.

    python tables_coverage.py [--runs 40] [--confidence 60]

A low confidence shows soon whether a promise is kept; ``--runs 1000 --confidence 95`` is the long run. The cells are
those of tests/statistical. Writes results/tables_coverage.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "statistical"))

from tables_cells import QUERIES, ROWS, cells, misses  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--confidence", type=float, default=60.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cells(Path(folder)) as con:
        missed, runs, sampled = misses(con, range(asked.runs), f"WITHIN 10% CONFIDENCE {asked.confidence:g}%")
    found = {q: {"runs": runs[q], "sampled": sampled[q], "missed": missed[q]} for q in QUERIES}
    allowed = 1 - asked.confidence / 100
    for name, one in found.items():
        print(f"{name:20} sampled {one['sampled']}/{one['runs']}  missed {one['missed']}, stated at most {allowed:.0%}")
    result = {"rows": ROWS, "confidence": asked.confidence / 100, "error": 0.1, "cells": found}
    (HERE / "results" / "tables_coverage.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
