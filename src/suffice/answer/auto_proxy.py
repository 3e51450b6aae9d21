"""``PROXY auto``: which cheap score to go by, if any, chosen on a few random units that the models have seen.

The scores tried are columns of the media that are numbers, likeness to the words of the statement, neighbours by
embedding, and what is written in ``auto(…)``. Each scores those few units alone; it is taken when the calls it will
save cost more than scoring all units does. The few units count as known from then on, so the choice costs nothing but
their calls, and no interval depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.answer.engine import Engine
from suffice.answer.likeness import NEIGHBOURS, asked_likeness
from suffice.answer.proxy_scores import said_of_units
from suffice.answer.unit_sample import UnitSample
from suffice.answer.work import Work
from suffice.errors import SufficeError, UsageError
from suffice.estimate.variance_left import effective_count, left_by_likeness, left_by_line
from suffice.sql.statement import parse_one
from suffice.sql.target import Target
from suffice.sql.units.cheap_scores import cheap_scores, rough_count
from suffice.sql.units.unit_query import UnitQuery
from suffice.store.explained import one_line

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNITS = 32
"""Random units a score is judged on."""

LEFT_MAX = 0.8
"""A score that leaves more of the spread than this is none."""

CARRIERS_MIN = 3
"""Units that must carry the spread of what the models said before any score is judged by it."""

_AUTO = re.compile(r"\s*auto\s*(\(|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Tried:
    """A score, what it leaves of the spread on the units it was judged on, and the cost (seconds, and money where the
    model has a price) of scoring all units and of the calls that saves."""

    proxy: str
    left: float
    cost: float
    saves: float
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        said = {"proxy": self.proxy, "left": round(self.left, 3), "cost": round(self.cost, 3)}
        return {**said, "saves": round(self.saves, 3)} if not self.error else {"proxy": self.proxy, "error": self.error}


def is_auto(proxy: str | None, columns: tuple[str, ...]) -> bool:
    """Whether a PROXY is ``auto`` or ``auto(score, …)``; a column called ``auto`` stays one."""
    return proxy is not None and "auto" not in columns and bool(_AUTO.match(proxy))


def candidates(engine: Engine, query: UnitQuery, proxy: str | None) -> list[str]:
    """The scores to try: those written in ``auto(…)``, then those that the statement suggests."""
    media = query.plan.bound.media[query.relation]
    kinds = engine.describe(media.table)
    numbers = [
        name
        for name in media.columns
        if name != query.key
        and (kinds.get(name, "").startswith(("DECIMAL", "DOUBLE", "FLOAT")) or "INT" in kinds.get(name, ""))
        and not name.startswith("__")
        and not name.endswith("_id")
        and "[" not in kinds[name]
    ]
    bound = query.plan.bound
    rough = [rough_count(bound.tree, call.name, call.call.signature) for call in bound.calls.values()]
    suggested = cheap_scores(bound.tree, media.columns, numbers, engine.registry.names(), [one for one in rough if one])
    return list(dict.fromkeys([*_written(proxy), *suggested]))


def _written(proxy: str | None) -> list[str]:
    """The scores in ``auto(…)``."""
    own = parse_one(f"SELECT {proxy}").expressions[0].expressions if proxy and "(" in proxy else []
    return [one.sql("duckdb") for one in own]


def check_written(engine: Engine, query: UnitQuery, proxy: str, sample: UnitSample, work: Work) -> None:
    """Before anything is paid for: what is written in ``auto(…)`` must be a score; raises :class:`UsageError`."""
    import duckdb

    for one in _written(proxy):
        try:
            _said(engine, query, one, sample, work, np.zeros(0, dtype=np.int64))
        except duckdb.Error as error:
            raise UsageError(f"PROXY auto({one}): {one_line(error)}") from None


def choose_proxy(
    engine: Engine, query: UnitQuery, proxy: str, sample: UnitSample, work: Work, units: Indices, values: Floats,
    saved: Callable[[float], float],
) -> tuple[str | None, list[Tried]]:  # fmt: skip
    """The score that pays most, None where none does, and all that were tried.

    Args:
        units, values: (k,) random units and what the models say of them, one number each.
        saved: part of the spread left -> units that need not be asked.
    """
    import duckdb

    each = sum(
        engine.results.seconds_per_input(call.call) + call.model.signature.price
        for call in query.plan.bound.calls.values()
    )
    tried, media = [], query.plan.bound.media[query.relation]
    for one in candidates(engine, query, proxy):
        try:
            left, cost = _judged(engine, query, one, sample, work, units, values)
        except (SufficeError, duckdb.Error) as error:
            tried.append(Tried(one, 1.0, 0.0, 0.0, str(error)))
            continue
        saves = each * saved(min(left, 1.0))
        if left < LEFT_MAX and cost * sample.size > saves and media.function == "frames":
            cost = min(cost, _cost_in_a_row(engine, query, one, sample, work))
        tried.append(Tried(one, left, cost * sample.size, saves))
    if effective_count(values) < CARRIERS_MIN:  # what is rare was hardly met: go by the word of the user
        return next(iter(_written(proxy)), None), tried
    good = [one for one in tried if not one.error and one.left < LEFT_MAX and one.saves > one.cost]
    best = max(good, key=lambda one: one.saves - one.cost, default=None)
    return best.proxy if best else None, tried


def draws_saved(values: Floats, target: Target, confidence: float, size: int) -> Callable[[float], float]:
    """Part of the spread left -> units that need not be asked for what is wanted, by normal theory; only a guide."""
    mean, error = abs(float(values.mean())), target.error_relative_max
    if error is None or not mean:
        return lambda left: (1 - left) * (target.budget_calls or size)
    plain = (NormalDist().inv_cdf((1 + confidence) / 2) * float(values.std(ddof=1)) / (error * mean)) ** 2

    def takes(left: float) -> float:
        return 1 / (1 / size + 1 / max(plain * left, 1e-9))

    return lambda left: takes(1.0) - takes(left)


def _judged(
    engine: Engine, query: UnitQuery, proxy: str, sample: UnitSample, work: Work, units: Indices, values: Floats
) -> tuple[float, float]:
    """(part of the spread left, cost of scoring one unit)."""
    said = _said(engine, query, proxy, sample, work, units[:1])  # weights are loaded with the first
    before = _spent(work)
    said |= _said(engine, query, proxy, sample, work, units[1:])
    each = (_spent(work) - before) / (units.size - 1)
    has = np.array([unit in said for unit in units.tolist()])
    if has.sum() < UNITS // 2:
        return 1.0, 0.0
    given = [said[unit] for unit in units[has].tolist()]
    if asked_likeness(proxy):
        return left_by_likeness(np.array(given, dtype=np.float32), values[has], NEIGHBOURS), each
    return left_by_line(np.array(given, dtype=np.float64), values[has]), each


def _cost_in_a_row(engine: Engine, query: UnitQuery, proxy: str, sample: UnitSample, work: Work) -> float:
    """Cost of scoring one of many neighbours: frames that are spread over a video take far more to decode."""
    units = np.arange(min(sample.size, 2 * UNITS))
    calls, spent = sample.calls_done, _spent(work)
    _said(engine, query, proxy, sample, work, units)
    return (_spent(work) - spent) / max(sample.calls_done - calls, 1)


def _said(
    engine: Engine, query: UnitQuery, proxy: str, sample: UnitSample, work: Work, units: Indices
) -> dict[int, Any]:
    """What a score, or the embedding of ``nearest(…)``, is of each unit that has one."""
    media, likeness = query.plan.bound.media[query.relation], asked_likeness(proxy)
    expression, kind = (likeness.embedding, "FLOAT[]") if likeness else (proxy, "DOUBLE")
    rows = said_of_units(engine, media, query.key, query.alias, expression, kind, sample, work, units)
    return {int(sample.numbers([row[0]])[0]): row[1] for row in rows if row[1] is not None}


def _spent(work: Work) -> float:
    return sum(model.seconds + model.price for model in work.model_calls.values())
