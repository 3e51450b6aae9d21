"""Reads and writes the case files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    file: str
    title: str
    sql: str
    paid: str = ""
    rows: tuple[str, ...] = ()

    def text(self) -> str:
        return "\n".join([f"# {self.title}", self.sql, "----", self.paid, *self.rows]) + "\n"


def read_cases() -> list[Case]:
    return [case for path in sorted(FOLDER.glob("*.test")) for case in read_file(path)]


def read_file(path: Path) -> list[Case]:
    cases = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        head, _, tail = block.partition("\n----")
        title, *sql = head.splitlines()
        paid, *rows = tail.strip("\n").splitlines() or [""]
        cases.append(Case(path.stem, title.removeprefix("# "), "\n".join(sql), paid, tuple(rows)))
    return cases


@dataclass(frozen=True)
class PlanCase:
    rule: str
    title: str
    sql: str
    plan: tuple[str, ...] = ()

    def text(self) -> str:
        return "\n".join([f"# {self.title}", self.sql, "----", *self.plan]) + "\n"


def read_plans(path: Path) -> list[PlanCase]:
    """The cases of one rule."""
    cases = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        head, _, plan = block.partition("\n----")
        title, *sql = head.splitlines()
        lines = tuple(plan.strip("\n").splitlines())
        cases.append(PlanCase(path.stem, title.removeprefix("# "), "\n".join(sql), lines))
    return cases


def paid_text(paid: Mapping[str, int]) -> str:
    return "paid: " + (", ".join(f"{name} {count}" for name, count in sorted(paid.items())) or "nothing")


def rows_text(sql: str, rows: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    lines = ["\t".join("NULL" if value is None else str(value) for value in row) for row in rows]
    return tuple(lines if "ORDER BY" in sql.upper() else sorted(lines))
