"""Write down what every rule and case makes, answers and pays now. Read the difference before you commit it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "unit" / "sql")]

from dataclasses import replace  # noqa: E402

import plans  # noqa: E402
from arithmetic import arithmetic, both_ways  # noqa: E402
from cases import FOLDER, Case, PlanCase, paid_text, read_file, read_plans, rows_text  # noqa: E402


def record(case: Case) -> Case:
    _, everything, paid, _ = both_ways(case.sql)
    return Case(case.file, case.title, case.sql, paid_text(paid), rows_text(case.sql, everything))


def record_plan(case: PlanCase) -> PlanCase:
    return replace(case, plan=tuple(plans.plan_text(case.rule, case.sql, arithmetic()[0])))


for path in sorted(plans.FOLDER.glob("*.plan")):
    path.write_text("\n".join(record_plan(case).text() for case in read_plans(path)), encoding="utf-8")
    print(path.name)
for path in sorted(FOLDER.glob("*.test")):
    path.write_text("\n".join(record(case).text() for case in read_file(path)), encoding="utf-8")
    print(path.name)
