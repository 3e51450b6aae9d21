"""Names of engines, and what is said of wrong ones."""

from __future__ import annotations

import sys

import pytest

import suffice
from suffice.models.engines.stretches import stretches
from suffice.models.protocol import IMAGE, Column, Signature


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("rai", "there is no engine 'rai' (did you mean 'ray'?)"),
        ("local?workers=2", "there is no engine"),
        ("ray://", "names no host"),
        ("ray?worker=2", "there is no option 'worker' (did you mean 'workers'?)"),
        ("ray?workers=none", "workers is a number from 1, not 'none'"),
        ("ray?workers=0", "workers is a number from 1, not '0'"),
        ("", "there is no engine ''"),
    ],
)
def test_what_is_no_engine(engine: str, said: str) -> None:
    with pytest.raises(suffice.UsageError) as caught:
        suffice.connect(engine=engine)
    assert said in str(caught.value)


def test_ray_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(suffice.UsageError, match=r"pip install 'suffice\[ray\]'"):
        suffice.connect(engine="ray")


def test_stretches_lie_together_in_their_files() -> None:
    signature = Signature("m", "1", (Column("image", IMAGE),), (Column("y", "DOUBLE"),), "scalar", {}, batch_size=8)
    names = [f"vid:{file:032x}#{frame}" for frame in range(100) for file in (7, 3)]
    cut = stretches(signature, [(name,) for name in names], 2)
    assert sorted(position for stretch in cut for position in stretch) == list(range(200))
    assert {len(stretch) for stretch in cut[:-1]} == {32}  # whole batches, about four a worker
    walked = [names[position] for stretch in cut for position in stretch]
    assert walked == [f"vid:{file:032x}#{frame}" for file in (3, 7) for frame in range(100)]


def test_values_without_pictures_are_cut_too() -> None:
    signature = Signature("m", "1", (Column("n", "BIGINT"),), (Column("y", "DOUBLE"),), "scalar", {}, batch_size=4)
    assert stretches(signature, [(n,) for n in range(6)], 2) == [[0, 1, 2, 3], [4, 5]]
    assert stretches(signature, [], 2) == []
