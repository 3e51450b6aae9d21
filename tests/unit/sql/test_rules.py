"""Every rewrite rule has a file of cases, and makes of each query what is written there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "sql"))

import plans
from arithmetic import arithmetic
from cases import PlanCase, read_plans

import suffice
import suffice.sql.rewrite

CASES = [case for path in sorted(plans.FOLDER.glob("*.plan")) for case in read_plans(path)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.title}")
def test_rule(case: PlanCase) -> None:
    assert tuple(plans.plan_text(case.rule, case.sql, arithmetic()[0])) == case.plan


def test_no_rule_is_without_cases() -> None:
    files = Path(next(iter(suffice.sql.rewrite.__path__))).glob("[!_]*.py")
    assert {file.stem for file in files} == {case.rule for case in CASES} == set(plans.RULES)
    assert all(case.plan for case in CASES)
