"""What a model gives comes back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from function_model import FunctionModel
from kept_values import check_arguments, check_refused, check_values

import suffice


def test_every_type_is_kept(tmp_path: Path) -> None:
    check_values(str(tmp_path / "x.suffice"))


def test_arguments_are_found_again(tmp_path: Path) -> None:
    check_arguments(str(tmp_path / "x.suffice"))


def test_a_value_nobody_can_keep_is_a_problem_of_its_row() -> None:
    check_refused(":memory:", "\ud800")


def test_odd_column_names() -> None:
    con = suffice.connect()
    names = [("select", "BIGINT"), ('we"ird', "BIGINT"), ("MiXed", "BIGINT"), ("id", "BIGINT"), ("a0", "BIGINT")]
    con.register("odd", FunctionModel("odd", lambda x: [(1, 2, 3, 4, 5)], ["BIGINT"], names, "rows"))
    con.sql('CREATE TABLE "we""ird t" AS SELECT 7 AS "or der"')
    statement = 'SELECT o."select", o."we""ird", o.mixed, o.id, o.a0 FROM "we""ird t" AS "t t", odd("t t"."or der") o'
    assert con.sql(statement).fetchall() == [(1, 2, 3, 4, 5)]


@pytest.mark.parametrize("names", [["input_id"], ["row_index"], ["a", "A"]])
def test_a_column_name_that_is_taken(names: list[str]) -> None:
    con = suffice.connect()
    con.register(
        "taken", FunctionModel("taken", lambda x: [(1,) * len(names)], ["BIGINT"], [(name, "BIGINT") for name in names])
    )
    with pytest.raises(suffice.ModelError, match=f"'{names[-1]}' is taken"):
        con.sql("SELECT taken(1)")
