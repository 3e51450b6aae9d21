"""What a connection may spend holds for every kind of answer: exact, sampled, selected, ranked."""

from __future__ import annotations

import pytest
from function_model import FunctionModel

import suffice

QUESTIONS = (
    "SELECT sum(look(x)) FROM t",
    "SELECT id FROM t WHERE look(x) > 0.5 LIMIT 5",
    "SELECT count(*) AS n FROM t WHERE look(x) > 0.5 WITHIN 20% CONFIDENCE 80%",
    "SELECT count(*) AS n FROM t WHERE look(x) > 0.5 BUDGET 400 CALLS",
    "SELECT id FROM t WHERE look(x) > 0.5 RECALL 90% CONFIDENCE 80% PROXY p",
    "SELECT id FROM t WHERE look(x) > 0.5 LIMIT 5 PROXY p",
)


@pytest.mark.parametrize("most", [0, 40])
@pytest.mark.parametrize("question", QUESTIONS)
def test_no_kind_of_answer_spends_more_than_it_may(question: str, most: int) -> None:
    model = FunctionModel("look", lambda x: [(x % 2,)], ["DOUBLE"], [("v", "DOUBLE")], batch_size=16)
    with suffice.connect(progress=False) as con:
        con.duckdb.execute("CREATE TABLE t AS SELECT range AS id, range::DOUBLE AS x, range % 2 AS p FROM range(2000)")
        con.register("look", model)
        con.limit(max_calls=most)
        try:
            answer = con.sql(question, seed=1)
        except suffice.SufficeError as error:
            assert "budget" in str(error)
        else:
            assert answer.work.model_calls["look"].done <= most
            if "count(*)" in question:
                ((low, high),) = answer.guarantee.intervals["n"]
                assert low <= 1000 <= high and (most > 0 or (low, high) == (0, 2000))  # nothing paid for, nothing said
    assert model.paid <= most
