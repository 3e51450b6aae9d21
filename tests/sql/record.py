"""Write down what every case answers and pays now. Read the difference before you commit it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "unit" / "sql")]

from arithmetic import both_ways  # noqa: E402
from cases import FOLDER, Case, paid_text, read_file, rows_text  # noqa: E402


def record(case: Case) -> Case:
    _, everything, paid, _ = both_ways(case.sql)
    return Case(case.file, case.title, case.sql, paid_text(paid), rows_text(case.sql, everything))


for path in sorted(FOLDER.glob("*.test")):
    path.write_text("\n".join(record(case).text() for case in read_file(path)), encoding="utf-8")
    print(path.name)
