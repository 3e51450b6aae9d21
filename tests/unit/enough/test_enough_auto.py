"""PROXY auto: a score is chosen on a few units, paid for openly, and breaks nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from enough_town import CAP, people, town
from function_model import FunctionModel

import suffice
from suffice.errors import UsageError
from suffice.estimate.variance_left import effective_count, left_by_likeness, left_by_line
from suffice.models.protocol import Column, Signature
from suffice.sql.statement import parse_one
from suffice.sql.units.cheap_scores import cheap_scores, rough_count


def priced(size: int = 1200) -> tuple[suffice.Connection, FunctionModel]:
    """The town with a detector that costs money, and cheap hints at how many people there are: a good one, noise."""
    con, _ = town(size)
    detector = FunctionModel(
        "things", people, ["INTEGER"], [("label", "VARCHAR"), ("score", "DOUBLE")], "rows", rows_max=CAP, price=1.0,
        ranges={"score": (0.5, 1.0)},
    )  # fmt: skip
    con.register("things", detector)
    hint = FunctionModel("hint", lambda i: [(float(len(people(i))),)], ["INTEGER"], [("h", "DOUBLE")])
    con.register("hint", hint)
    con.register("noise", FunctionModel("noise", lambda i: [(i * 7919 % 101 / 7,)], ["INTEGER"], [("h", "DOUBLE")]))
    return con, detector


def test_the_score_that_pays_is_taken_and_all_that_were_tried_are_named() -> None:
    question = "SELECT count(*) AS n FROM objects WITHIN 3%"
    con, detector = priced()
    result = con.sql(f"{question} PROXY auto(noise(frame), hint(frame))", seed=1)
    ((low, high),) = result.guarantee.intervals["n"]
    truth = sum(len(people(i)) for i in range(1200))
    assert low <= truth <= high
    assert result.guarantee.details["proxy"] == "HINT(frame)"
    tried = {one["proxy"]: one for one in result.guarantee.details["proxies_tried"]}
    assert set(tried) == {"NOISE(frame)", "HINT(frame)", '"frame"', '"time_s"', '"part"'}
    assert tried["HINT(frame)"]["left"] < 0.01 < 0.8 < tried["NOISE(frame)"]["left"]
    assert result.work.model_calls["hint"].done == 1200 and result.work.model_calls["noise"].done == 32
    plain, without = priced()
    plain.sql(question, seed=1)
    assert detector.paid < without.paid


def test_a_score_dearer_than_what_it_saves_is_left() -> None:
    con, _ = priced()
    con.register(
        "gold", FunctionModel("gold", lambda i: [(float(len(people(i))),)], ["INTEGER"], [("h", "DOUBLE")], price=5.0)
    )
    result = con.sql("SELECT count(*) AS n FROM objects WITHIN 3% PROXY auto(gold(frame))", seed=1)
    assert result.guarantee.details["proxy"] == "none" and result.work.model_calls["gold"].done == 32
    (gold, *_) = result.guarantee.details["proxies_tried"]
    assert gold["cost"] > gold["saves"] > 0


def test_a_budget_pays_for_the_units_that_choose_and_not_for_the_scores() -> None:
    con, detector = priced()
    result = con.sql("SELECT count(*) AS n FROM objects BUDGET 100 CALLS PROXY auto(hint(frame))", seed=2)
    assert detector.paid <= 100 and result.guarantee.details["pilot"] == 25
    assert result.guarantee.details["proxy"] == "HINT(frame)" and result.work.model_calls["hint"].done == 1200
    assert result.guarantee.intervals["n"][0][0] <= sum(len(people(i)) for i in range(1200))


def test_it_holds_as_often_as_it_says() -> None:
    con, _ = priced(600)
    cell = con.coverage("SELECT count(*) AS n FROM objects WITHIN 10% CONFIDENCE 80% PROXY auto(hint(frame))", runs=20)
    assert cell.passed, cell


def test_rows_and_limits_choose_too() -> None:
    con, detector = priced()
    crowded = "SELECT frame FROM frames_seen f WHERE (SELECT count(*) FROM things(f.frame)) > 6"
    result = con.sql(f"{crowded} RECALL 90% PROXY auto(noise(frame), hint(frame))", seed=1)
    truth = {i for i in range(1200) if len(people(i)) > 6}
    assert len(truth & {row[0] for row in result.fetchall()}) >= 0.9 * len(truth)
    assert result.guarantee.details["proxy"] == "HINT(frame)" and detector.paid < 900
    con, detector = priced()
    found = con.sql(f"{crowded} LIMIT 10 PROXY auto(hint(frame))", seed=1).fetchall()
    assert len(found) == 10 and {row[0] for row in found} <= truth and detector.paid < 120


def test_what_is_hardly_met_goes_by_the_word_of_the_user() -> None:
    """Four of 1200 frames have two things: 32 of them tell nothing, so the first score written is taken."""
    con, _ = priced()
    few = "SELECT count(*) AS n FROM frames_seen f WHERE (SELECT count(*) FROM things(f.frame)) < 3 BUDGET 400 CALLS"
    result = con.sql(f"{few} PROXY auto(hint(frame), noise(frame))", seed=1)
    ((low, high),) = result.guarantee.intervals["n"]
    assert result.guarantee.details["proxy"] == "HINT(frame)" and low <= 4 <= high
    assert con.sql(f"{few} PROXY auto", seed=2).guarantee.details["proxy"] == "none"


def test_nothing_that_tells_units_apart_is_said() -> None:
    con, _ = priced()
    with pytest.raises(UsageError, match="none of .*noise.* name a score of your own".replace("noise", "NOISE")):
        con.sql("SELECT frame FROM frames_seen WHERE mood(frame) = 'glad' RECALL 90% PROXY auto(noise(frame))", seed=1)


def test_explain_offers_and_a_column_called_auto_stays_one() -> None:
    con, detector = priced()
    lines = "\n".join(row[0] for row in con.sql("EXPLAIN SELECT count(*) FROM objects WITHIN 5%").fetchall())
    assert 'none (PROXY auto tries "frame", "time_s", "part")' in lines
    lines = con.sql("EXPLAIN SELECT count(*) FROM objects WITHIN 5% PROXY auto(hint(frame))").fetchall()
    assert any("auto, tries HINT(frame)" in row[0] for row in lines) and detector.paid == 0
    con.sql("CREATE TABLE kept AS SELECT frame, frame % 5 AS auto FROM frames_seen")
    result = con.sql("SELECT count(*) AS n FROM kept k, things(k.frame) t WITHIN 10% PROXY auto", seed=1)
    assert result.guarantee.details["proxy"] == "auto" and "proxies_tried" not in result.guarantee.details


def test_words_of_the_statement_are_what_is_looked_for() -> None:
    tree = parse_one("SELECT count(*) FROM f WHERE label = 'person' AND kind IN ('bus', 'tram') AND day = '2020'")
    assert cheap_scores(tree, ["image", "width"], ["width"], ["embed", "similarity"]) == [
        '"width"', "similarity(image, 'person')", "similarity(image, 'bus')", "similarity(image, 'tram')",
        "nearest(embed(image))",
    ]  # fmt: skip
    assert cheap_scores(tree, ["a__image", "b__image"], [], ["embed"]) == [
        'array_cosine_similarity(embed("a__image"), embed("b__image"))'
    ]
    assert cheap_scores(tree, ["text"], [], ["embed_text"]) == ["nearest(embed_text(text))"]
    (moved,) = cheap_scores(tree, ["image", "frame_index"], [], ["difference"])
    assert moved.startswith("difference(image, regexp_replace(image, ")


def test_a_model_counts_roughly_what_the_statement_counts() -> None:
    rough = {"side": 192, "min_score": 0.3}
    outputs = (Column("label", "VARCHAR"), Column("score", "DOUBLE"))
    model = Signature("detect", "1", (Column("image", "IMAGE"),), outputs, "rows", {}, rough=rough)
    tree = parse_one("SELECT count(*) FROM f WHERE o.label IN ('bus', 'tram') AND o.score = f.time_s AND day = 'May'")
    assert rough_count(tree, "detect", model) == (
        "(SELECT count(*) FROM detect(image, side => 192, min_score => 0.3) WHERE label IN ('bus', 'tram'))"
    )
    assert rough_count(parse_one("SELECT 1"), "d", model).endswith("min_score => 0.3))")
    assert rough_count(tree, "detect", replace(model, rough={})) == ""
    assert rough_count(tree, "same", replace(model, inputs=model.inputs * 2)) == ""


def test_what_a_score_leaves_is_judged_on_units_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    scores, noise = rng.random(40), rng.random(40)
    assert left_by_line(scores, 3 - 2 * scores) < 1e-20 and left_by_line(np.ones(40), noise) == 1.0
    brute = [
        noise[i] - np.polyval(np.polyfit(np.delete(scores, i), np.delete(noise, i), 1), scores[i]) for i in range(40)
    ]
    plain = [noise[i] - np.delete(noise, i).mean() for i in range(40)]
    assert left_by_line(scores, noise) == pytest.approx(np.square(brute).sum() / np.square(plain).sum())
    assert effective_count(np.eye(40)[0]) == pytest.approx(1, abs=0.1) and effective_count(np.ones(40)) == 0
    vectors = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0)
    assert left_by_likeness(vectors, np.repeat([1.0, 5.0, 2.0, 9.0], 10), 4) < 1e-9
    assert left_by_likeness(vectors, noise, 4) > 0.7 and left_by_line(scores, np.zeros(40)) == 1.0
