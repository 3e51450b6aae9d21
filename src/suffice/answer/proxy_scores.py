"""A cheap number for every unit: what a statement names with PROXY, else none (frames still tell of their neighbours).

A score may be anything: a stored column, a small model, similarity to words. It decides where to look and what to
expect there, never whether an interval holds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.answer.engine import Engine
from suffice.answer.exact import answer_exactly
from suffice.answer.pair_units import in_pairs
from suffice.answer.unit_sample import UnitSample
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.sql.bind import bind
from suffice.sql.plan import Bound
from suffice.sql.statement import parse_one
from suffice.sql.target import Target
from suffice.sql.units.thread_unit import UNIT
from suffice.store.catalogue import MediaTable
from suffice.store.database import quote
from suffice.store.explained import one_line

Floats = npt.NDArray[np.float64]

POPULATION = "temp.suffice_population"


def proxy_scores(
    engine: Engine, media: MediaTable, key: str, alias: str, target: Target, sample: UnitSample, work: Work
) -> tuple[Floats, str]:
    """(N,) a score a unit, higher or lower for more, and what it is.

    Raises:
        UsageError: PROXY is no number of each unit.
    """
    if target.proxy is None:
        return np.zeros(sample.size), "none"
    import duckdb

    try:
        rows = said_of_units(engine, media, key, alias, target.proxy, "DOUBLE", sample, work)
    except duckdb.Error as error:
        raise UsageError(f"PROXY {target.proxy}: it is no number of each unit: {one_line(error)}") from None
    scores = np.full(sample.size, np.nan)
    for unit, score in rows:
        at = int(sample.numbers([unit])[0])
        scores[at] = np.fmax(scores[at], np.nan if score is None else float(str(score)))
    return _filled(scores, target.proxy), target.proxy


def said_of_units(
    engine: Engine,
    media: MediaTable,
    key: str,
    alias: str,
    expression: str,
    kind: str,
    sample: UnitSample,
    work: Work,
    units: npt.NDArray[np.int64] | None = None,
) -> list[tuple[Any, ...]]:
    """(key of a unit, value) for every row of `units`, all if not given: `expression` as the SQL type `kind`."""
    sample.choose(np.arange(sample.size) if units is None else units, POPULATION)
    name = re.sub(r"^(?:m\d+_)+", "", alias)
    asked = in_pairs(expression, media.columns) if media.function == "pairs" else expression
    sql = f"SELECT {quote(key)} AS {UNIT}, ({asked})::{kind} AS said FROM suffice_units {quote(name)}"
    return engine.database.rows(answer_exactly(engine, _bound(engine, media, sql, sample.models), work))


def _bound(engine: Engine, media: MediaTable, sql: str, models: Collection[str]) -> Bound:
    """The statement; what it calls has a name of its own in the work done, where `models` have that name too."""
    units = MediaTable(media.function, POPULATION, media.columns, None)

    def system(name: str) -> MediaTable | None:
        return units if name == "suffice_units" else None

    def sync(function: str, pattern: str, options: Mapping[str, Any]) -> MediaTable:
        return engine.catalogue.sync(function, pattern, options, lambda path: None)

    bound = bind(parse_one(sql), engine.registry, engine.results, {}, sync, system)
    named = {
        number: replace(call, name=f"{call.name} as proxy") if call.name in models else call
        for number, call in bound.calls.items()
    }
    return replace(bound, calls=named)


def _filled(scores: Floats, proxy: str) -> Floats:
    """NULL is as little as the least."""
    known = np.isfinite(scores)
    if not known.any():
        raise UsageError(f"PROXY {proxy}: it is NULL or no number for every unit, so it orders nothing: leave it out")
    scores[~known] = scores[known].min()
    return scores
