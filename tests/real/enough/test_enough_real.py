"""The packaged clip and the packaged models: likeness as a proxy, kept in an index beside the store."""

from __future__ import annotations

from pathlib import Path

import suffice
from suffice.assets import asset_path
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
