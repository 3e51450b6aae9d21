"""The units of a statement in the database: who they are, what is kept of them, and what those that are asked give."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from suffice.answer.engine import Engine
from suffice.answer.materialise import Materialiser
from suffice.answer.work import Work
from suffice.media.frames_ahead import FramesAhead
from suffice.sql.inputs import Inputs
from suffice.sql.rewrite.as_sql import need_sql
from suffice.sql.rewrite.needs import Needs, relations_of
from suffice.sql.units.thread_unit import UNIT
from suffice.sql.units.unit_query import UnitQuery

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CHOSEN, SOON = "temp.suffice_chosen", "temp.suffice_soon"
NONE: Indices = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Contributions:
    """Rows of ``unit, group, pieces``: `units` (k,) numbers of units, `groups` k tuples, `pieces` (P, k)."""

    units: Indices
    groups: list[tuple[Any, ...]]
    pieces: Floats


class UnitSample:
    """`keys` (N,) are the units that can matter, in table order; everything else speaks of their numbers 0..N-1."""

    def __init__(self, engine: Engine, query: UnitQuery, work: Work) -> None:
        self._engine, self._query, self._work = engine, query, work
        media = query.plan.bound.media[query.relation]
        self._ahead = FramesAhead() if media.function == "frames" else None
        self._materialiser = Materialiser(engine, work, ahead=self._ahead)
        rows = engine.database.rows(
            f"SELECT {query.key} FROM {media.table} SEMI JOIN ({query.population_sql()}) p"
            f" ON {query.key} = p.{UNIT} GROUP BY ALL ORDER BY {query.key}"
        )
        self.keys: Indices = np.array([row[0] for row in rows], dtype=np.int64)
        self._asked = np.zeros(self.keys.size, dtype=bool)

    @property
    def size(self) -> int:
        return int(self.keys.size)

    @property
    def models(self) -> set[str]:
        """What the statement calls."""
        return {call.name for call in self._query.plan.bound.calls.values()}

    @property
    def calls_done(self) -> int:
        """Model calls paid for so far in this statement."""
        return sum(model.done + model.failed for model in self._work.model_calls.values())

    def numbers(self, keys: Sequence[Any] | Indices) -> Indices:
        """The units that have these keys."""
        return np.searchsorted(self.keys, np.asarray(keys, dtype=np.int64)).astype(np.int64)

    # -- what is kept ---------------------------------------------------------------------------------------

    def known(self) -> npt.NDArray[np.bool_]:
        """(N,) units that would cost no call. One that is free but not seen to be is drawn like any other."""
        missing, done = np.zeros(self.size, dtype=bool), set[int]()
        sites = list(enumerate(self._query.plan.sites))
        while sites:
            ready = [(i, site) for i, site in sites if Needs(frozenset(done)).of(site) is not None]
            if not ready:
                return np.zeros(self.size, dtype=bool)
            for i, site in ready:
                found = self._missing(i, frozenset(done))
                if found is None:
                    return np.zeros(self.size, dtype=bool)
                missing[found] = True
                sites.remove((i, site))
            done |= {site.number for _, site in ready}
        return ~missing

    def _missing(self, index: int, done: frozenset[int]) -> Indices | None:
        """Units for which a site lacks a result; None when its inputs cannot be told by unit."""
        from sqlglot import exp

        query, plan = self._query, self._query.plan
        site = plan.sites[index]
        need = Needs(done).of(site)
        assert need is not None
        aliases = [relation.alias for relation in relations_of(need.select)]
        if query.alias.lower() not in aliases:
            return None
        select = need.select.copy()
        select.append("expressions", exp.alias_(exp.column(query.key, table=query.alias), UNIT))
        inputs = Inputs(plan.bound.calls[site.number].call, need_sql(select, plan.bound, plan.base_sql))
        rows = self._engine.database.rows(f"SELECT DISTINCT n.{UNIT} {inputs.needed} AND NOT {inputs.is_kept}")
        keys = np.array([row[0] for row in rows], dtype=np.int64)
        return self.numbers(keys[np.isin(keys, self.keys)])

    # -- asking ---------------------------------------------------------------------------------------------

    def ask(self, units: Indices, upcoming: Indices = NONE) -> Contributions:
        """Run the models on these units; what each contributes (nothing: no row). `upcoming` may be asked next."""
        self.choose(units)
        if self._ahead is not None and upcoming.size:
            self.choose(np.union1d(units, upcoming), SOON)
            self._ahead.expect(str(row[0]) for row in self._engine.database.rows(f"SELECT image FROM {SOON}"))
        self._materialiser.run(self._query.over(CHOSEN))
        self._asked[units] = True
        return self._contributions()

    def choose(self, units: Indices, table: str = CHOSEN) -> None:
        """Leave the rows of these units in a temporary table."""
        import pyarrow as pa

        query, database = self._query, self._engine.database
        media = query.plan.bound.media[query.relation].table
        with database.lock:
            database.connection.register("suffice_wanted", pa.table({UNIT: pa.array(self.keys[units])}))
            try:
                database.rows(
                    f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT m.* FROM {media} m"
                    f" SEMI JOIN suffice_wanted w ON w.{UNIT} = m.{query.key}"
                )
            finally:
                database.connection.unregister("suffice_wanted")

    def _contributions(self) -> Contributions:
        started = time.perf_counter()
        rows = self._engine.database.rows(self._query.contributions_sql(CHOSEN))
        self._work.spend("query", time.perf_counter() - started)
        groups, pieces = len(self._query.keys), len(self._query.formulas.pieces)
        return Contributions(
            self.numbers([row[0] for row in rows]),
            [row[1 : 1 + groups] for row in rows],
            np.array([row[1 + groups :] for row in rows], dtype=np.float64).reshape(-1, pieces).T,
        )

    def labels(self) -> list[tuple[Any, ...]] | None:
        """The group of each unit, when that is known without a model and each unit is in one group."""
        sql = self._query.labels_sql()
        if sql is None:
            return None
        rows = self._engine.database.rows(sql)
        found = {row[0]: row[1:] for row in rows}
        return [found[int(key)] for key in self.keys] if len(found) == len(rows) else None

    def close(self, also: npt.NDArray[np.bool_]) -> None:
        """Book what was cached (`also`: units that were known from the start) and what was left out."""
        self.choose(np.flatnonzero(self._asked | also))
        self._materialiser.run(self._query.over(CHOSEN))
        self._materialiser.count_skipped(self._query.plan)
