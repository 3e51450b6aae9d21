"""A value of every type a model may give, to be kept and read back."""

from __future__ import annotations

import datetime
import math
import uuid
from decimal import Decimal
from typing import Any

import pytest
from function_model import FunctionModel

import suffice

NASTY = "x'y\"z\\ {}[],: \n é"
VALUES: list[tuple[str, Any]] = [
    ("BOOLEAN", True),
    ("TINYINT", -3),
    ("UTINYINT", 255),
    ("UINTEGER", 2**32 - 1),
    ("BIGINT", -(2**63)),
    ("UBIGINT", 2**64 - 1),
    ("HUGEINT", 2**100 + 1),
    ("DECIMAL(18,3)", Decimal("1.125")),
    ("FLOAT", 0.5),
    ("DOUBLE", 0.1),
    ("DOUBLE", math.inf),
    ("VARCHAR", NASTY),
    ("VARCHAR", ""),
    ("BLOB", b"\0\1\xff"),
    ("DATE", datetime.date(2020, 1, 2)),
    ("TIME", datetime.time(1, 2, 3)),
    ("TIMESTAMP", datetime.datetime(2020, 1, 2, 3, 4, 5, 678901)),
    ("INTERVAL", datetime.timedelta(days=1, seconds=2)),
    ("UUID", uuid.UUID(int=7)),
    ("JSON", '{"a":1}'),
    ("ENUM('a','b')", "b"),
    ("FLOAT[]", [0.5, 0.25]),
    ("FLOAT[]", []),
    ("FLOAT[3]", (0.5, 0.25, 0.125)),
    ("FLOAT[][]", [[0.5], [0.25, 0.125]]),
    ("VARCHAR[]", [NASTY, "", None, "NULL"]),
    ("BOOLEAN[]", [True, False]),
    ("STRUCT(a INTEGER, b VARCHAR, c VARCHAR[])", {"a": 1, "b": NASTY, "c": [None, "NULL", "", " x"]}),
    ("STRUCT(a INTEGER)[]", [{"a": 1}, {"a": None}]),
    ("MAP(VARCHAR, DOUBLE)", {"k=1": 2.5, "": None}),
]
ARGUMENTS = [
    ("DOUBLE", "'nan'::DOUBLE"),
    ("VARCHAR", "'it''s'"),
    ("VARCHAR[]", "['a', 'b']"),
    ("FLOAT[3]", "[1, 2, 3]::FLOAT[3]"),
    ("UBIGINT", "18446744073709551615::UBIGINT"),
    ("DECIMAL(18,3)", "1.5"),
    ("TIMESTAMP", "TIMESTAMP '2020-01-02'"),
    ("BLOB", "'\\x00\\x01'::BLOB"),
]


def check_values(target: str) -> None:
    """Every value comes back as it was, in this connection and in the next, and is paid once."""
    models = [
        FunctionModel(f"gives_{i}", lambda x, value=value: [(value,)], ["BIGINT"], [("value", kind)])
        for i, (kind, value) in enumerate(VALUES)
    ]
    for _ in range(2):
        with suffice.connect(target, progress=False) as con:
            for model, (kind, value) in zip(models, VALUES, strict=True):
                con.register(model.signature.name, model)
                statement = f"SELECT {model.signature.name}(1) AS v"
                assert con.sql(statement).fetchall() == [(value,)], kind
                expected = con.sql(f"SELECT typeof(NULL::{kind})").fetchall()
                assert con.sql(f"SELECT typeof(v) FROM ({statement})").fetchall() == expected
    assert [model.paid for model in models] == [1 if target != ":memory:" else 2] * len(models)


def check_arguments(target: str) -> None:
    """Arguments of every kind are found again."""
    for i, (kind, literal) in enumerate(ARGUMENTS):
        with suffice.connect(target, progress=False) as con:
            model = FunctionModel(f"takes_{i}", lambda x: [(str(x),)], [kind], [("text", "VARCHAR")])
            con.register(f"takes_{i}", model)
            first = con.sql(f"SELECT takes_{i}({literal})").fetchall()
            assert con.sql(f"SELECT takes_{i}({literal})").fetchall() == first and first[0][0] is not None
            assert model.paid == 1, kind


def check_refused(target: str, text: str) -> None:
    """A value that the store cannot hold is a problem of its row; the rest of its batch is kept."""
    with suffice.connect(target, progress=False) as con:
        model = FunctionModel("odd_text", lambda x: [(text if x == 2 else str(x),)], ["BIGINT"], [("value", "VARCHAR")])
        con.register("odd_text", model)
        with pytest.warns(suffice.SufficeWarning, match="1 inputs failed"):
            rows = con.sql("SELECT i, odd_text(i) FROM range(5) r(i) ORDER BY i")
        assert rows.fetchall() == [(0, "0"), (1, "1"), (2, None), (3, "3"), (4, "4")]
        assert con.sql("SELECT path FROM problems WHERE model = 'odd_text'").fetchall() == [("2",)]
        with pytest.warns(suffice.SufficeWarning):
            con.sql("SELECT odd_text(i) FROM range(5) r(i)")
        assert model.paid == 6
