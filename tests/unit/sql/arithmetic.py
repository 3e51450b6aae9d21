"""Models that need no weights, for testing what SQL does with models: each counts the inputs it was paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import suffice
from suffice.answer.exact import answer_exactly
from suffice.answer.work import Work
from suffice.connection import Connection
from suffice.models.protocol import Column, Row, Signature
from suffice.sql.statement import Query, parse


class FunctionModel:
    """A Python function as a model."""

    def __init__(
        self,
        name: str,
        function: Callable[..., list[Row]],
        inputs: Sequence[tuple[str, str]],
        outputs: Sequence[tuple[str, str]],
        returns: Any,
        paid: Counter[str],
        batch_size: int = 4,
        cost_s: float = 0.01,
    ) -> None:
        self._function, self._paid = function, paid
        self.signature = Signature(
            name,
            "1",
            tuple(Column(*c) for c in inputs),
            tuple(Column(*c) for c in outputs),
            returns,
            {},
            batch_size=batch_size,
            cost_s=cost_s,
        )

    def prepare(self, *inputs: Any) -> Any:
        return inputs

    def predict(self, batch: Sequence[Any]) -> list[list[Row]]:
        self._paid[self.signature.name] += len(batch)
        return [self._function(*one) for one in batch]


def arithmetic(target: str = ":memory:") -> tuple[Connection, Counter[str]]:
    """A connection with models on integers, tables ``t(id, x, tag)`` and ``u(x, word)``, and what was paid."""
    con, paid = suffice.connect(target), Counter[str]()

    def add(
        name: str, function: Callable[..., list[Row]], outputs: list[tuple[str, str]], returns: str, arity: int = 1
    ) -> None:
        inputs = [(f"x{i}", "BIGINT") for i in range(arity)]
        con.register(name, FunctionModel(name, function, inputs, outputs, returns, paid))

    add("even", lambda x: [(x % 2 == 0,)], [("value", "BOOLEAN")], "scalar")
    add("third", lambda x: [(x // 3,)], [("value", "BIGINT")], "scalar")
    add("maybe", lambda x: [(None if x % 3 == 0 else x % 3 == 1,)], [("value", "BOOLEAN")], "scalar")
    add(
        "divisors",
        lambda x: [(d, x // d) for d in range(1, x + 1) if x % d == 0],
        [("d", "BIGINT"), ("q", "BIGINT")],
        "rows",
    )
    add(
        "primes",
        lambda x: [(p,) for p in range(2, x + 1) if x % p == 0 and all(p % d for d in range(2, p))],
        [("p", "BIGINT")],
        "rows",
    )
    add("near", lambda a, b: [(abs(a - b) <= 1,)], [("value", "BOOLEAN")], "scalar", 2)
    add("pair", lambda x: [(x % 2, x % 3)], [("m2", "BIGINT"), ("m3", "BIGINT")], "scalar")
    con.duckdb.execute(
        "CREATE TABLE t AS SELECT i AS id, (i * 7) % 13 AS x, ['a','b','c'][(i % 3 + 1)::INT] AS tag"
        " FROM range(24) r(i)"
    )
    con.duckdb.execute("INSERT INTO t VALUES (24, NULL, 'a'), (25, 5, NULL)")
    con.duckdb.execute("CREATE TABLE u AS SELECT i AS x, 'w' || i AS word FROM range(0, 14, 2) r(i)")
    return con, paid


def both_ways(sql: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], Counter[str], Counter[str]]:
    """Rows of `sql` with models run sparsely, and with every model run on all there is; and what each paid."""
    con, paid = arithmetic()
    sparse = con.sql(sql).fetchall()
    other, all_paid = arithmetic()
    statement = parse(sql)
    assert isinstance(statement, Query) and statement.tree is not None
    answer = answer_exactly(other._engine, other._bind(statement.tree, Work()), Work(), sparse=False)
    return sparse, other.duckdb.execute(answer).fetchall(), paid, all_paid
