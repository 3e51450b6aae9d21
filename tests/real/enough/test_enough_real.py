"""The packaged clip and the packaged models: likeness as a proxy, kept in an index beside the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import suffice
from suffice.assets import asset_path
from suffice.models.similarity import similarity
from suffice.store.vectors.open_index import default_index

CLIP = repr(str(asset_path("pedestrians.mp4")))
CROWD = "(SELECT count(*) FROM detect(f.image, max_objects => 20) o WHERE label = 'person') >= 7"


def test_likeness_of_frames_finds_crowds_and_goes_on_with_new_frames(tmp_path: Path) -> None:
    store = tmp_path / "clip.suffice"
    with suffice.connect(store, progress=False) as con:
        first = f"SELECT f.frame_index FROM frames({CLIP}, fps => 1) f WHERE f.time_s < 40 AND {CROWD}"
        few = con.sql(f"{first} LIMIT 3 PROXY nearest(embed(image), representatives => 8)", seed=1)
        assert len(few.fetchall()) == 3
        assert few.work.model_calls["embed"].done == 40 > few.work.model_calls["detect"].done >= 8
    kept = list((tmp_path / "clip.suffice.vectors").rglob("*.faiss"))
    assert len(kept) == (default_index() == "faiss")
    with suffice.connect(store, progress=False) as con:
        count = f"SELECT count(*) AS n FROM frames({CLIP}, fps => 1) f WHERE {CROWD}"
        result = con.sql(f"{count} BUDGET 45 CALLS PROXY nearest(embed(image), representatives => 14)", seed=1)
        details, embedded = result.guarantee.details, result.work.model_calls["embed"]
        assert embedded.done == result.guarantee.population - 40 and embedded.cached == 40  # only new frames
        if default_index() == "faiss":  # the eight of before are looked at already, and stay
            assert details["representatives"] <= 6 and details["known_before"] >= 8
        ((low, high),) = result.guarantee.intervals["n"]
        ((truth,),) = con.sql(count).fetchall()
        assert low <= truth <= high


def test_a_picture_is_looked_at_once_whatever_it_is_compared_with(tmp_path: Path) -> None:
    """Vectors of pictures are kept: another text, a proxy's index and the bounds of AVG all go by the same ones."""
    clip = asset_path("pedestrians.mp4")
    some = f"FROM frames('{clip}') f WHERE frame_index % 40 = 0"
    with suffice.connect(tmp_path / "s.suffice", progress=False) as con:
        first = con.sql(f"SELECT frame_index, similarity(image, 'a bus') AS s {some} ORDER BY frame_index")
        assert first.work.model_calls["similarity"].done == len(first.fetchall()) == 20
        pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "noise.png")
        ((said,),) = con.sql(f"SELECT similarity(image, 'a bus') FROM images('{tmp_path}/noise.png')").fetchall()
        model = similarity()
        assert said == pytest.approx(model.predict([model.prepare(pixels, "a bus")])[0][0][0], abs=1e-5)
    with suffice.connect(tmp_path / "s.suffice", progress=False) as con:  # another process, as far as that can tell
        again = con.sql(f"SELECT avg(similarity(image, 'a street')) AS s {some} WITHIN 10%", seed=1)
        assert again.work.model_calls["similarity"].done == 0 and again.guarantee.tier in ("exact", "finite-sample")
        crowd = "(SELECT count(*) FROM detect(f.image, max_objects => 20) WHERE label = 'person') >= 3"
        near = con.sql(
            f"SELECT count(*) AS n {some} AND {crowd} BUDGET 16 CALLS PROXY nearest(similarity(image))", seed=1
        )
        assert near.work.model_calls["similarity"].done == 0 and near.guarantee.details["representatives"] > 0
        assert con.sql(f"SELECT len(similarity(image)) {some} LIMIT 1").fetchall() == [(384,)]
    assert any((tmp_path / "s.suffice.vectors").rglob("*"))


def test_auto_tries_what_ships_and_says_what_each_would_cost(tmp_path: Path) -> None:
    clip = asset_path("pedestrians.mp4")
    question = f"SELECT count(*) AS n FROM frames('{clip}') f, detect(f.image, max_objects => 20) o"
    question += " WHERE label = 'person' AND frame_index < 120 BUDGET 64 CALLS PROXY auto"
    with suffice.connect(tmp_path / "s.suffice", progress=False) as con:
        result = con.sql(question, seed=1)
        tried = {one["proxy"] for one in result.guarantee.details["proxies_tried"]}
        assert {"similarity(image, 'person')", "nearest(embed(image))", '"frame_index"'} <= tried
        rough = "(SELECT count(*) FROM detect(image, side => 192, min_score => 0.3) WHERE label = 'person')"
        assert rough in tried and any(one.startswith("difference(image, ") for one in tried)
        assert result.work.model_calls["detect as proxy"].done >= 16 and result.work.model_calls["difference"].done
        assert result.work.model_calls["detect"].done <= 64 and result.guarantee.details["pilot"] == 16
        ((low, high),) = result.guarantee.intervals["n"]
        ((truth,),) = con.sql(question.split(" BUDGET")[0]).fetchall()
        assert low <= truth <= high
