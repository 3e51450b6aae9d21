"""Random statements over models: whatever is spared, the rows are those of a run that spares nothing."""

from __future__ import annotations

import random

import pytest
from arithmetic import both_ways

CHEAP = ["{t}.id < 12", "{t}.tag = 'a'", "{t}.tag IS NULL", "{t}.x BETWEEN 2 AND 9", "{t}.id % 3 = 1", "{t}.x <> 5"]
MODELS = ["even({t}.x)", "maybe({t}.x)", "third({t}.x) > 1", "third({t}.x) = third({t}.id)", "maybe({t}.x) IS NULL"]
SOURCES = [
    ("t", "t"),
    ("t, divisors(t.x) o", "t"),
    ("t LEFT JOIN divisors(t.x) o ON o.d > 2", "t"),
    ("(SELECT * FROM t WHERE id > 3) t", "t"),
    ("(SELECT t.*, o.d FROM t, divisors(t.x) o WHERE o.d > 1) t", "t"),
    ("t JOIN u ON t.x = u.x", "t"),
    ("t LEFT JOIN u ON t.x = u.x AND even(u.x)", "t"),
    ("t, u", "t"),
    ("t FULL JOIN u ON near(t.x, u.x) AND u.x < 9", "t"),
    ("t RIGHT JOIN u ON third(t.x) = third(u.x)", "t"),
    ("t SEMI JOIN u ON t.x = u.x AND third(u.x) < 3", "t"),
    ("(SELECT tag, max(x) AS x, min(id) AS id FROM t GROUP BY tag) t", "t"),
    ("(SELECT id, x, tag FROM t WHERE even(x) UNION ALL SELECT x, x, word FROM u) t", "t"),
]
SHAPES = [
    "({a} AND {b})",
    "({a} OR {b})",
    "(NOT {a})",
    "coalesce({a}, {b})",
    "(CASE WHEN {a} THEN {b} END)",
    "({a} = {b})",
    "({a} IS NOT TRUE)",
    "if({a}, {b}, NOT {b})",
]
OUTPUTS = [
    "SELECT {t}.id, {t}.x FROM {f} WHERE {p}",
    "SELECT count(*), sum({t}.x) FROM {f} WHERE {p}",
    "SELECT {t}.tag, count(*) FILTER (WHERE {q}) FROM {f} WHERE {p} GROUP BY ALL",
    "SELECT {t}.id, CASE WHEN {q} THEN third({t}.x) WHEN {p} THEN -1 END FROM {f}",
    "SELECT {t}.tag, sum(third({t}.x)) FROM {f} WHERE {p} GROUP BY {t}.tag HAVING count(*) > 1",
    "SELECT DISTINCT third({t}.x) FROM {f} WHERE {p}",
    "SELECT {t}.id FROM {f} WHERE {p} AND EXISTS (SELECT 1 FROM primes({t}.x) w WHERE w.p > 2 AND {q})",
    "SELECT {t}.id FROM {f} WHERE {p} OR {t}.x IN (SELECT o2.d FROM u u2, divisors(u2.x) o2 WHERE u2.x > 7)",
    "SELECT {t}.id, (SELECT count(*) FROM divisors({t}.x) w WHERE {q}) FROM {f} WHERE {p}",
    "SELECT {t}.id, sum(third({t}.x)) OVER (PARTITION BY {t}.tag) FROM {f} WHERE {p}",
]


def predicate(chance: random.Random, table: str, depth: int = 3) -> str:
    if depth == 0 or chance.random() < 0.25:
        return f"({chance.choice(CHEAP + MODELS).format(t=table)})"
    left, right = predicate(chance, table, depth - 1), predicate(chance, table, depth - 1)
    return chance.choice(SHAPES).format(a=left, b=right)


@pytest.mark.parametrize("seed", range(100))
def test_sparse_equals_full(seed: int) -> None:
    chance = random.Random(seed)
    source, table = chance.choice(SOURCES)
    sql = chance.choice(OUTPUTS).format(t=table, f=source, p=predicate(chance, table), q=predicate(chance, table, 2))
    sparse, everything, *_ = both_ways(sql)
    assert sorted(map(repr, sparse)) == sorted(map(repr, everything)), sql
