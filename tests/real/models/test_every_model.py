"""What holds for each packaged model: it is what it declares, batches equal singles, threads equal one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest

from suffice.errors import UsageError
from suffice.media.mask_rle import encode_rle
from suffice.models.protocol import IMAGE, Model

FACTORIES = {point.name: point for point in entry_points(group="suffice.models") if point.dist.name == "suffice"}
NAMES = sorted(FACTORIES)
PYTHON_TYPES = {"INTEGER": int, "DOUBLE": float, "VARCHAR": str}


def arguments(model: Model, picture: np.ndarray) -> tuple[Any, ...]:
    texts = {"mask": json.dumps(encode_rle(np.tri(*picture.shape[:2], dtype=bool)))}
    return tuple(
        picture if column.type == IMAGE else texts.get(column.name, "a cup of coffee")
        for column in model.signature.inputs
    )


def assert_same(one: Any, other: Any) -> None:
    """Rows alike up to 1e-4 in numbers, exactly in everything else."""
    assert type(one) is type(other)
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert one == (pytest.approx(other, abs=1e-4) if isinstance(one, float) else other)


def test_all_are_registered() -> None:
    assert {"classify", "detect", "embed", "embed_text", "faces", "layout", "nsfw", "ocr", "similarity", "tag"} <= set(
        NAMES
    )


@pytest.mark.parametrize("name", NAMES)
def test_gives_what_it_declares(name: str, pictures: Mapping[str, np.ndarray]) -> None:
    model = FACTORIES[name].load()()
    signature = model.signature
    assert isinstance(model, Model)
    assert signature.name == name
    assert len(signature.version.partition("-")[0]) == 12
    [rows] = model.predict([model.prepare(*arguments(model, pictures["astronaut"]))])
    if signature.returns == "scalar":
        assert len(rows) == len(rows[0]) == len(signature.outputs) == 1
    for row in rows:
        for value, column in zip(row, signature.outputs, strict=True):
            assert isinstance(value, PYTHON_TYPES.get(column.type, list)), column


@pytest.mark.parametrize("name", NAMES)
def test_unknown_option(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} has no option 'colour'"):
        FACTORIES[name].load()(colour=1)


@pytest.mark.parametrize("name", NAMES)
def test_batch_and_threads_equal_one_at_a_time(name: str, pictures: Mapping[str, np.ndarray]) -> None:
    model = FACTORIES[name].load()()
    # Reading a whole page takes seconds; its top has two lines.
    chosen = [pictures["page"][:64], *([] if name.startswith("ocr") else [pictures["astronaut"], pictures["coffee"]])]
    prepared = [model.prepare(*arguments(model, picture)) for picture in chosen]
    singles = [model.predict([item])[0] for item in prepared]
    assert_same(list(model.predict(prepared)), singles)
    with ThreadPoolExecutor(model.signature.concurrency) as pool:
        for answer in pool.map(model.predict, [prepared] * 2):
            assert_same(list(answer), singles)
