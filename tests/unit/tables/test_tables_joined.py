"""Scrambles that hold columns of joined tables: what they answer alone, and when they must not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlglot import exp

import suffice
from suffice.errors import UsageError

TABLES = (
    "CREATE TABLE sales AS SELECT range AS id, (hash(range) % 50)::INT AS shop,"
    " (hash(range + 1) % 5000)::INT AS article,"
    " 1 + (hash(range + 2) % 9)::INT AS pieces FROM range(300000)",
    "CREATE TABLE articles AS SELECT range::INT AS number, (hash(range) % 4)::INT AS maker, 1 + range % 7 AS price,"
    " CASE WHEN range % 3 = 0 THEN 'toy' ELSE 'book' END AS kind, 'a' || range AS title FROM range(4500)",
    "CREATE TABLE makers AS SELECT range::INT AS id, 'm' || range AS name FROM range(4)",
    "CREATE TABLE shops AS SELECT range::INT AS shop, range % 5 AS town FROM range(50)",
)
JOINS = [
    "articles(kind, price, maker) ON article = number",
    "makers(name) ON maker = makers.id",
    "shops ON sales.shop = shops.shop",
]


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[suffice.Connection]:
    with suffice.connect(tmp_path_factory.mktemp("joined") / "j.duckdb", progress=False) as made:
        made.sample_always = True
        for statement in TABLES:
            made.sql(statement)
        made.scramble("sales", joins=JOINS)
        yield made


QUESTIONS = (
    "SELECT sum(pieces * price) AS s FROM sales JOIN articles ON article = number",
    "SELECT count(*) AS n FROM articles, sales WHERE number = article AND kind = 'toy'",
    "SELECT kind, sum(pieces) AS s, avg(price) AS p FROM sales s JOIN articles a ON s.article = a.number"
    " GROUP BY kind ORDER BY kind",
    "SELECT name, count(*) AS n FROM sales, articles, makers WHERE article = number AND maker = makers.id"
    " GROUP BY name ORDER BY n DESC",
    "SELECT town, sum(price) AS s FROM sales JOIN articles ON article = number JOIN shops ON shops.shop = sales.shop"
    " WHERE town < 2 GROUP BY 1 ORDER BY 1",
    "SELECT count(*) AS n FROM sales JOIN shops ON sales.shop = shops.shop WHERE shops.shop < 20",
    "SELECT median(price * pieces) AS m FROM sales JOIN articles ON article = number WHERE kind = 'book'",
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_join_is_answered_by_the_copy_alone(con: suffice.Connection, question: str) -> None:
    for seed in range(2):
        result = con.sql(f"{question} WITHIN 10% CONFIDENCE 99%", seed=seed)
        guarantee = result.guarantee
        assert guarantee is not None and guarantee.tier == "finite-sample", guarantee
        assert con.audit(result).held
        looks = guarantee.details["looks"]
        assert result.work.rows_read <= guarantee.sampled, f"{looks} looks read the other tables as well"


@pytest.mark.parametrize("question", QUESTIONS)
def test_everything_drawn_is_the_join(con: suffice.Connection, question: str) -> None:
    """The rows that the written statement makes of the whole copy are those of the join."""
    from suffice.answer.tables.drawing import over_base_tables
    from suffice.sql.statement import parse_one
    from suffice.tables.reader import snapshot
    from suffice.tables.scramble import fresh_scramble

    with snapshot(con._database) as reader:
        asked = over_base_tables(parse_one(question), reader)  # type: ignore[arg-type]
        assert len(asked.tables.tables) == 1
        scramble = fresh_scramble(reader, "sales")
        assert scramble is not None
        ((alias, table),) = asked.tables.tables.items()
        table.replace(exp.to_table(scramble.known.copy_sql, alias=alias, dialect="duckdb"))
        written = asked.statement.sql("duckdb")
        assert reader.rows(written) == con.sql(question).fetchall()


@pytest.mark.parametrize(
    "question",
    [
        "SELECT count(*) AS n FROM sales LEFT JOIN articles ON article = number",
        "SELECT count(*) AS n FROM sales JOIN articles ON article = maker AND maker = number",
        "SELECT max(title) AS t, count(*) AS n FROM sales JOIN articles ON article = number",
        "SELECT count(*) AS n FROM sales JOIN articles ON article = number AND title > 'a2'",
        "SELECT count(*) AS n FROM sales JOIN articles ON article = number WHERE kind IN (SELECT 'toy')",
    ],
)
def test_what_the_copy_does_not_hold_is_joined(con: suffice.Connection, question: str) -> None:
    result = con.sql(f"{question} WITHIN 10% CONFIDENCE 99%", seed=1)
    assert con.audit(result).held if result.guarantee and result.guarantee.intervals else True
    exact = con.sql(question).fetchall()[0][-1]
    assert abs(result.fetchall()[0][-1] - exact) <= 0.1 * exact


def test_a_changed_table_is_read_again(tmp_path: Path) -> None:
    question = "SELECT count(*) AS n FROM sales JOIN articles ON article = number WHERE kind = 'toy' WITHIN 10%"
    with suffice.connect(tmp_path / "c.duckdb", progress=False) as con:
        con.sample_always = True
        for statement in TABLES:
            con.sql(statement)
        assert not con.scramble("sales", joins=JOINS[:1]).was_fresh
        assert con.scramble("sales").was_fresh and con.scramble("sales", joins=JOINS[:1]).was_fresh
        before = con.sql(question, seed=1)
        assert before.work.rows_read <= before.guarantee.sampled  # type: ignore[union-attr]
        con.sql("UPDATE articles SET kind = 'book' WHERE number % 2 = 0")
        after = con.sql(question, seed=1)
        assert after.work.rows_read > 4500 and con.audit(after).held
        assert not con.scramble("sales").was_fresh, "a renewed copy keeps its joins"
        renewed = con.sql(question, seed=1)
        assert renewed.work.rows_read <= renewed.guarantee.sampled  # type: ignore[union-attr]
        assert con.audit(renewed).held
        con.drop_scramble("sales")
        assert con.sql("SELECT count(*) FROM suffice.scramble_joins").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("join", "said"),
    [
        ("articles", "no join on a key"),
        ("articles ON article < number", "no join on a key"),
        ("articles(knd) ON article = number", "did you mean .kind."),
        ("articles ON articel = number", "joins no column"),
        ("sales ON id = shop", "in the scramble already"),
        ("articles(kind) ON shop = maker", "more than once"),
    ],
)
def test_what_is_no_join_on_a_key_is_refused(con: suffice.Connection, join: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        con.scramble("sales", joins=[join])
