"""LIMIT k with a PROXY: units in the order of the score, a share of them at random, until there are rows enough.

The rows are exact: the score decides where to look first, never what is in the answer. A bad score costs at most the
exploration: every fifth unit is a random one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from suffice.answer.asked import with_units
from suffice.answer.auto_proxy import UNITS, check_written, choose_proxy, is_auto
from suffice.answer.engine import Engine
from suffice.answer.guaranteed import Answer
from suffice.answer.likeness import asked_likeness, likeness
from suffice.answer.proxy_scores import proxy_scores
from suffice.answer.unit_looks import unit_looks
from suffice.answer.unit_sample import CHOSEN, UnitSample
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.sql.plan import Bound
from suffice.sql.sparse import plan_sparsely
from suffice.sql.target import Target
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.selection_query import selection_query, unit_rows_sql
from suffice.sql.units.thread_unit import UNIT
from suffice.sql.units.unit_query import UnitQuery

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EXPLORE_EVERY = 5
"""One unit in so many is drawn at random from those left."""

FIRST_UNITS = 16


def answer_ranked_limit(engine: Engine, bound: Bound, target: Target, seed: int, work: Work) -> Iterator[Answer]:
    """The first rows found; raises UsageError without a LIMIT, or with an ORDER BY that the score would not keep."""
    plan = plan_sparsely(with_units(engine, bound), engine.describe)
    limit, order = plan.tree.args.get("limit"), plan.tree.args.get("order")
    if limit is None or order is not None or not limit.expression.is_int:
        raise UsageError(
            "PROXY helps WITHIN, RECALL, PRECISION, BUDGET, or a LIMIT k without ORDER BY: add one of them, or leave"
            " PROXY out"
        )
    try:
        query = selection_query(plan, unit_looks(engine, plan.bound))
    except NoBoundError as reason:
        raise UsageError(f"PROXY cannot rank the units of this statement ({reason}): leave it out") from None
    sample = UnitSample(engine, query, work)
    walk = _Walk(sample, int(limit.expression.name))
    walk.run(_scores(engine, query, target, sample, work, walk, seed), np.random.default_rng(seed))
    sample.choose(np.flatnonzero(walk.is_asked))
    names = [str(row[0]) for row in engine.database.rows(f"DESCRIBE {_plain(bound)}")]
    sql = f"SELECT * EXCLUDE ({UNIT}) FROM ({unit_rows_sql(query, CHOSEN)}) LIMIT {walk.wanted}"
    with engine.database.lock:
        rows = engine.database.connection.execute(sql).to_arrow_table().rename_columns(names)
    sample.close(np.zeros(sample.size, dtype=bool))
    yield Answer(rows)


class _Walk:
    """Asks units until `wanted` rows are found."""

    def __init__(self, sample: UnitSample, wanted: int) -> None:
        self.sample, self.wanted, self.found = sample, wanted, 0
        self.is_asked = np.zeros(sample.size, dtype=bool)

    def ask(self, units: Indices) -> Floats:
        """(k,) the rows that each of the units has."""
        found = self.sample.ask(units)
        self.is_asked[units] = True
        rows = np.zeros(self.sample.size)
        rows[found.units] = found.pieces[0]
        self.found += int(rows.sum())
        return rows[units]

    def run(self, scores: Floats, rng: np.random.Generator) -> None:
        order = ranked(scores, rng)
        order = order[~self.is_asked[order]]
        step = max(FIRST_UNITS, self.wanted)
        while self.found < self.wanted and order.size:
            self.ask(order[:step])
            order = order[step:]
            step = max(FIRST_UNITS, min(2 * step, self._needed()))

    def _needed(self) -> int:
        """Units that the rest will take, as the yield so far says."""
        asked = int(self.is_asked.sum())
        return int(1.2 * (self.wanted - self.found) * asked / self.found) if self.found else 2 * asked


def _saved(size: int, left: float) -> float:
    return (1 - left) * size


def _scores(
    engine: Engine, query: UnitQuery, target: Target, sample: UnitSample, work: Work, walk: _Walk, seed: int
) -> Floats:
    if (asked := asked_likeness(target.proxy)) is not None:
        found = likeness(engine, query, asked, sample, work, sample.size)
        return found.scores(found.representatives, walk.ask(found.representatives))
    media = query.plan.bound.media[query.relation]
    if is_auto(target.proxy, media.columns):
        check_written(engine, query, str(target.proxy), sample, work)
        pilot = np.sort(np.random.default_rng(seed).choice(sample.size, min(UNITS, sample.size), replace=False))
        saved = partial(_saved, sample.size)
        chosen, _ = choose_proxy(engine, query, str(target.proxy), sample, work, pilot, walk.ask(pilot), saved)
        return _scores(engine, query, replace(target, proxy=chosen), sample, work, walk, seed)
    return proxy_scores(engine, media, query.key, query.alias, target, sample, work)[0]


def ranked(scores: Floats, rng: np.random.Generator) -> Indices:
    """Units by falling score, with a random one in every fifth place."""
    best, random = list(np.argsort(-scores, kind="stable")), list(rng.permutation(scores.size))
    taken, order = np.zeros(scores.size, dtype=bool), list[int]()
    queues = (iter(best), iter(random))
    while len(order) < scores.size:
        queue = queues[len(order) % EXPLORE_EVERY == EXPLORE_EVERY - 1]
        unit = next(unit for unit in queue if not taken[unit])
        taken[unit] = True
        order.append(unit)
    return np.array(order, dtype=np.int64)


def _plain(bound: Bound) -> str:
    from suffice.sql.rewrite.as_sql import answer_sql

    return answer_sql(bound)
