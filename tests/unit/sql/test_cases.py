"""Every case under tests/sql, run sparsely and in full: same rows, and no more paid than is written there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "sql"))

from arithmetic import both_ways
from cases import Case, paid_text, read_cases, rows_text


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: f"{case.file}: {case.title}")
def test_case(case: Case) -> None:
    sparse, everything, paid, paid_for_everything = both_ways(case.sql)
    assert rows_text(case.sql, everything) == case.rows
    assert rows_text(case.sql, sparse) == case.rows
    assert paid_text(paid) == case.paid
    assert all(paid[name] <= paid_for_everything[name] for name in paid)
