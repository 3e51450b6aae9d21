"""The chapters in their order, and the page after each: whoever stops early keeps what there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from suffice.errors import SufficeError
from suffice.tour.ask import ask
from suffice.tour.chapter import Chapter, Trip
from suffice.tour.learn import learn
from suffice.tour.mask import mask
from suffice.tour.page import tour_page
from suffice.tour.repaint import repaint
from suffice.tour.rest import rest
from suffice.tour.use import use

CHAPTERS: tuple[Callable[[Trip], Chapter], ...] = (ask, mask, repaint, rest, learn, use)
PAGE = "index.html"
_NEEDED = ("torch", "diffusers", "transformers", "sklearn")


def walk(out: Path, *, is_quick: bool = False) -> Iterator[Chapter]:
    """Each chapter as it ends; ``out/index.html`` then holds it.

    Raises:
        SufficeError: what paints and trains is not installed.
    """
    from suffice.connection import connect

    _check_installed()
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    done: list[Chapter] = []
    with connect(":memory:", progress=None) as con:
        trip = Trip(con, out, is_quick)
        for chapter in CHAPTERS:
            started = time.perf_counter()
            done.append(replace(chapter(trip), seconds=time.perf_counter() - started))
            (out / PAGE).write_text(tour_page(done), encoding="utf-8")
            yield done[-1]


def _check_installed() -> None:
    from importlib.util import find_spec

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise SufficeError(
            f"the tour paints and trains, and needs {missing[0]}: pip install 'suffice[torch,federated]'"
        )
