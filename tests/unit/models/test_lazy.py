from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from suffice.models.lazy import Lazy


def test_threads_get_one_value_made_once() -> None:
    made: list[object] = []
    entered = Event()

    def make() -> object:
        entered.wait(timeout=0.05)
        made.append(object())
        return made[-1]

    lazy = Lazy(make)
    with ThreadPoolExecutor(8) as pool:
        values = set(pool.map(lambda _: id(lazy()), range(8)))
    assert len(made) == len(values) == 1


def test_tries_again_after_an_error() -> None:
    answers = iter([ValueError("disk"), None])

    def make() -> str:
        error = next(answers)
        if error:
            raise error
        return "made"

    lazy = Lazy(make)
    with pytest.raises(ValueError, match="disk"):
        lazy()
    assert lazy() == "made"
