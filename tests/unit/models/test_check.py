from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pytest

from suffice.errors import ModelError, UsageError
from suffice.models.check import check_rows
from suffice.models.protocol import Column, Signature

REFERENCE = "img:" + "0" * 32


def signature(*types: str, returns: Any = "rows") -> Signature:
    outputs = tuple(Column(f"c{index}", kind) for index, kind in enumerate(types))
    return Signature("probe", "1", (Column("text", "VARCHAR"),), outputs, returns, {})


class Point(NamedTuple):
    a: int
    b: str


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("BIGINT", np.int32(3), 3),
        ("UTINYINT", 255, 255),
        ("HUGEINT", 2**100, 2**100),
        ("DOUBLE", 1, 1.0),
        ("FLOAT", np.float16(0.5), 0.5),
        ("VARCHAR", np.str_("x"), "x"),
        ("BOOLEAN", np.bool_(True), True),
        ("BLOB", b"x", b"x"),
        ("DECIMAL(4,2)", Decimal("1.25"), Decimal("1.25")),
        ("FLOAT[]", np.ones((2,), np.float32), [1.0, 1.0]),
        ("FLOAT[2]", [1, 2.5], [1.0, 2.5]),
        ("DOUBLE[][]", np.zeros((2, 1)), [[0.0], [0.0]]),
        ("BIGINT[]", np.array([1, 2]), [1, 2]),
        ("VARCHAR[]", ["a", None], ["a", None]),
        ("STRUCT(a INT, b VARCHAR)", Point(1, "x"), {"a": 1, "b": "x"}),
        ("MAP(VARCHAR, DOUBLE)", {"k": np.float32(1)}, {"k": 1.0}),
        ("IMAGE", REFERENCE, REFERENCE),
        ("IMAGE[]", [REFERENCE], [REFERENCE]),
        ("BIGINT", None, None),
        ("DOUBLE[]", [], []),
    ],
)
def test_values_of_the_type_become_plain_python(kind: str, value: Any, expected: Any) -> None:
    [(got,)] = check_rows(signature(kind), [(value,)])
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("BIGINT", 1.0),
        ("BIGINT", True),
        ("UTINYINT", 256),
        ("BIGINT", 2**63),
        ("DOUBLE", "1"),
        ("DOUBLE", True),
        ("VARCHAR", 3),
        ("BOOLEAN", 1),
        ("FLOAT[2]", [1.0]),
        ("FLOAT[]", np.zeros((2, 2))),
        ("FLOAT[]", ["a"]),
        ("FLOAT[]", "abc"),
        ("STRUCT(a INT, b VARCHAR)", {"a": 1}),
        ("MAP(VARCHAR, DOUBLE)", [1]),
        ("IMAGE", "photo.jpg"),
        ("IMAGE", np.zeros((2, 2, 3), np.uint8)),
    ],
)
def test_another_type_names_model_column_expected_and_got(kind: str, value: Any) -> None:
    with pytest.raises(ModelError, match=r"probe, row 0, column 'c0': expected .+, got ") as caught:
        check_rows(signature(kind), [(value,)])
    assert "\n" not in str(caught.value)


def test_the_row_and_column_at_fault_are_named() -> None:
    with pytest.raises(ModelError, match=r"row 1, column 'c1': expected DOUBLE, got 'high' \(str\)"):
        check_rows(signature("BIGINT", "DOUBLE"), [(1, 0.5), (2, "high")])


@pytest.mark.parametrize("rows", [None, "abc", {"a": 1}, ({},), [1.0], [("only one",)], [(1, 2, 3)]])
def test_wrong_shapes(rows: Any) -> None:
    with pytest.raises(ModelError, match="probe"):
        check_rows(signature("BIGINT", "DOUBLE"), rows)


@pytest.mark.parametrize("count", [0, 2])
def test_a_scalar_gives_exactly_one_row(count: int) -> None:
    with pytest.raises(ModelError, match=f"exactly one row .* got {count}"):
        check_rows(signature("BIGINT", returns="scalar"), [(1,)] * count)
    assert check_rows(signature("BIGINT", returns="rows"), [(1,)] * count) == [(1,)] * count


def test_an_unknown_type_is_the_declarations_fault() -> None:
    with pytest.raises(UsageError, match="'DUBLE' is not a column type"):
        check_rows(signature("DUBLE"), [(1.0,)])
