"""Rows with a promised recall, a promised precision, or both: a cheap score decides most units, the models the rest.

A unit (frame, picture, page, row of a table) belongs into the answer when the statement, run on it alone, gives a row.
Thresholds on the score come with finite-sample certificates (:mod:`suffice.estimate.select_by_score`). What the store
knows beforehand is taken as it is: those units are right without a doubt, so a promise kept on all others is kept on
the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from suffice.answer.asked import CONFIDENCE, asked_of, with_units
from suffice.answer.audit import VOUCHED_BY
from suffice.answer.auto_proxy import Tried, check_written, choose_proxy, is_auto
from suffice.answer.engine import Engine
from suffice.answer.exact_reason import exact_answer
from suffice.answer.guarantee import Guarantee
from suffice.answer.guaranteed import Answer
from suffice.answer.likeness import Asked, asked_likeness, likeness
from suffice.answer.neighbour_scores import neighbour_scores
from suffice.answer.proxy_scores import proxy_scores
from suffice.answer.unit_looks import unit_looks
from suffice.answer.unit_sample import CHOSEN, UnitSample
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.estimate.certificate import Certificate
from suffice.estimate.select_by_score import select_by_score
from suffice.sql.plan import Bound
from suffice.sql.sparse import plan_sparsely
from suffice.sql.target import Target
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.selection_query import (
    rows_are_made_by_models,
    rows_without_models_sql,
    selection_query,
    unit_rows_sql,
)
from suffice.sql.units.thread_unit import UNIT
from suffice.sql.units.unit_query import UnitQuery

if TYPE_CHECKING:
    import pyarrow as pa

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

UNITS_MIN = 100
"""Below this many unknown units a certificate costs more than asking them all."""

BUDGET_SHARE, BUDGET_UNITS_MIN = 0.2, 400
"""What thresholds may cost without a BUDGET: this share of the units, but at least so many."""

PILOT_SHARE = 0.25
"""Part of the budget that labels a pilot when the score is learned from it."""


def answer_select(engine: Engine, bound: Bound, target: Target, seed: int, work: Work) -> Iterator[Answer]:
    """The rows, with a column ``vouched_by`` ('oracle', 'proxy' or 'cache') that says who answers for each.

    Raises:
        UsageError: the target does not fit; the message says what can be asked instead.
    """
    if bound.tree.args.get("limit"):
        raise UsageError(
            "RECALL and PRECISION promise a share of all rows, of which LIMIT takes a few: leave one of them out"
            " (LIMIT k PROXY … looks for k rows where the score is high)"
        )
    plan = plan_sparsely(with_units(engine, bound), engine.describe)
    try:
        query = selection_query(plan, unit_looks(engine, plan.bound))
    except NoBoundError as reason:
        raise UsageError(
            f"RECALL and PRECISION select rows of units, which this statement mixes ({reason}): ask WITHIN e% of an"
            " aggregate, or select from the media without grouping"
        ) from None
    yield _Selection(engine, bound, query, target, seed, work).answer()


@dataclass
class _Selection:
    engine: Engine
    bound: Bound
    query: UnitQuery
    target: Target
    seed: int
    work: Work

    def __post_init__(self) -> None:
        self.sample = UnitSample(self.engine, self.query, self.work)
        self.rng = np.random.default_rng(self.seed)
        self.confidence = self.target.confidence or CONFIDENCE
        self.needs_models = rows_are_made_by_models(self.query)
        self.labels = np.full(self.sample.size, np.nan)
        self.proxy_calls, self.tried = 0, list[Tried]()

    def answer(self) -> Answer:
        if self.needs_models and self.target.recall_min is None:
            raise UsageError(
                "the models make the rows of this answer, so every row in it is right: ask RECALL r%, or select columns"
                " of the media alone for a PRECISION that the proxy can meet"
            )
        self.known = self.sample.known()
        self._ask(np.flatnonzero(self.known))
        unknown = np.flatnonzero(~self.known)
        if unknown.size < UNITS_MIN:
            return self._exact("too few units to leave any out")
        budget = self._budget(unknown.size)
        scores = self._scores(unknown, budget)
        unknown = np.flatnonzero(np.isnan(self.labels))
        certificate = self._certify(
            unknown, scores[unknown], budget - int(np.isfinite(self.labels).sum() - self.known.sum())
        )
        return self._settle(unknown, scores[unknown], certificate)

    # -- the score ------------------------------------------------------------------------------------------

    def _scores(self, unknown: Indices, budget: int) -> Floats:
        """(N,) the named proxy's, or what a random pilot says of its neighbours in a video."""
        if is_auto(self.target.proxy, self.query.plan.bound.media[self.query.relation].columns):
            self._choose_proxy(unknown, budget)
        if (asked := asked_likeness(self.target.proxy)) is not None:
            return self._by_likeness(asked, budget)
        media = self.query.plan.bound.media[self.query.relation]
        if self.target.proxy is not None:
            before = self.sample.calls_done
            scores, self.proxy = proxy_scores(
                self.engine, media, self.query.key, self.query.alias, self.target, self.sample, self.work
            )
            self.proxy_calls += self.sample.calls_done - before
            return scores
        if media.function != "frames":
            raise UsageError(
                "RECALL and PRECISION go by a cheap score of each unit: add PROXY and a column or a small model, such"
                " as PROXY similarity(image, 'a bus')"
            )
        self.proxy = "neighbours in time of a random pilot"
        pilot = self.rng.choice(unknown, max(16, int(budget * PILOT_SHARE)), replace=False)
        self._ask(pilot)
        labelled = np.flatnonzero(np.isfinite(self.labels))
        return neighbour_scores(self.sample.size, labelled, self.labels[labelled] > 0)

    def _choose_proxy(self, unknown: Indices, budget: int) -> None:
        """Label a few units and let them say which cheap score is worth its price."""
        check_written(self.engine, self.query, str(self.target.proxy), self.sample, self.work)
        pilot = np.sort(self.rng.choice(unknown, max(16, int(budget * PILOT_SHARE)), replace=False))
        self._ask(pilot)
        before, proxy = self.sample.calls_done, str(self.target.proxy)
        chosen, self.tried = choose_proxy(
            self.engine, self.query, proxy, self.sample, self.work, pilot, self.labels[pilot],
            lambda left: (1 - left) * unknown.size,
        )  # fmt: skip
        self.proxy_calls = self.sample.calls_done - before
        is_video = self.query.plan.bound.media[self.query.relation].function == "frames"
        if chosen is None and not is_video:
            tried = ", ".join(one.proxy for one in self.tried) or "no score"
            raise UsageError(
                f"PROXY {proxy}: on {pilot.size} units none of {tried} tells them apart cheaply enough: name a score of"
                " your own, or ask without RECALL and PRECISION for the exact rows"
            )
        self.target = replace(self.target, proxy=chosen)

    def _by_likeness(self, asked: Asked, budget: int) -> Floats:
        before = self.sample.calls_done
        found = likeness(self.engine, self.query, asked, self.sample, self.work, int(budget * PILOT_SHARE))
        self.proxy, self.proxy_calls = found.name, self.proxy_calls + self.sample.calls_done - before
        self._ask(found.representatives[np.isnan(self.labels[found.representatives])])
        labelled = np.flatnonzero(np.isfinite(self.labels))
        return found.scores(labelled, self.labels[labelled])

    def _budget(self, units: int) -> int:
        if self.target.budget_calls is not None:
            if self.target.budget_calls < BUDGET_UNITS_MIN // 4:
                raise UsageError(
                    f"BUDGET {self.target.budget_calls} CALLS certifies no threshold: ask for at least"
                    f" {BUDGET_UNITS_MIN // 4} CALLS"
                )
            return min(units, self.target.budget_calls)
        if self.target.budget_s is not None:
            each_s = sum(
                self.engine.results.seconds_per_input(call.call) for call in self.query.plan.bound.calls.values()
            )
            return min(units, max(BUDGET_UNITS_MIN // 4, int(self.target.budget_s / max(each_s, 1e-4))))
        return min(units, max(BUDGET_UNITS_MIN, int(BUDGET_SHARE * units)))

    # -- thresholds -----------------------------------------------------------------------------------------

    def _ask(self, units: Indices) -> None:
        """Run the models on units and note which of them have rows."""
        if units.size:
            found = self.sample.ask(units)
            self.labels[units] = 0.0
            self.labels[found.units[found.pieces[0] > 0]] = 1.0

    def _certify(self, unknown: Indices, scores: Floats, budget: int) -> Certificate:
        def oracle(positions: Indices) -> Floats:
            self._ask(unknown[positions])
            return np.asarray(self.labels[unknown[positions]])

        precision, recall = None if self.needs_models else self.target.precision_min, self.target.recall_min
        asks_rest = self.needs_models or (precision is not None and recall is not None)
        has_budget = self.target.budget_calls is not None or self.target.budget_s is not None
        most = unknown.size if asks_rest and not has_budget else budget
        return select_by_score(
            scores, oracle, self.confidence, most, self.rng, recall=recall, precision=precision, asks_rest=asks_rest
        )

    def _settle(self, unknown: Indices, scores: Floats, certificate: Certificate) -> Answer:
        """Ask what the certificate leaves open, and put the rows together."""
        left = unknown[np.isnan(self.labels[unknown])]
        above = np.zeros(self.sample.size, dtype=bool)
        above[unknown[scores >= certificate.accept_above]] = True
        open_ = unknown[certificate.between(scores)]
        if self.needs_models:
            open_ = np.union1d(open_, left[above[left]])
        self._check_rest(int(np.isnan(self.labels[open_]).sum()))
        self._ask(open_)
        proxied = np.flatnonzero(above & np.isnan(self.labels))
        if not np.isnan(self.labels).any():
            return self._exact("every unit was looked at")
        self.sample.close(self.known)
        return Answer(self._rows(proxied), self._guarantee(certificate, proxied.size))

    def _check_rest(self, units: int) -> None:
        """What is still in doubt must be asked for the promise to hold, and a budget may not pay for it."""
        asked, calls = int(np.isfinite(self.labels).sum() - self.known.sum()), self.target.budget_calls
        if calls is not None and asked + units > calls:
            raise UsageError(
                f"BUDGET {calls:,} CALLS: after {asked:,} calls, which are kept, {units:,} units are in doubt, and the"
                f" promise takes them all: ask for BUDGET {asked + units:,} CALLS or more, or leave BUDGET out"
            )

    # -- rows -----------------------------------------------------------------------------------------------

    def _rows(self, proxied: Indices) -> pa.Table:
        database, parts = self.engine.database, []
        names = [str(row[0]) for row in self._describe()]
        for who, units in self._vouchers(proxied):
            self.sample.choose(units)
            if who == "proxy":
                sql = rows_without_models_sql(self.query, CHOSEN)
            else:
                sql = f"SELECT * EXCLUDE ({UNIT}) FROM ({unit_rows_sql(self.query, CHOSEN)})"
            with database.lock:
                table = database.connection.execute(sql).to_arrow_table().rename_columns(names)
            parts.append(table.append_column(VOUCHED_BY, [[who] * table.num_rows]) if table.num_rows else None)
        return self._ordered([part for part in parts if part is not None], names)

    def _vouchers(self, proxied: Indices) -> list[tuple[str, Indices]]:
        yes = self.labels > 0
        found = [("cache", np.flatnonzero(yes & self.known)), ("oracle", np.flatnonzero(yes & ~self.known))]
        return [(who, units) for who, units in [*found, ("proxy", proxied)] if units.size]

    def _describe(self) -> list[tuple[object, ...]]:
        from suffice.sql.rewrite.as_sql import answer_sql

        return self.engine.database.rows(f"DESCRIBE {answer_sql(self.bound)}")

    def _ordered(self, parts: list[pa.Table], names: list[str]) -> pa.Table:
        """Parts as one table, in the order the statement asks for where that is of its own columns."""
        import pyarrow as pa

        if not parts:
            return pa.table({name: pa.array([], pa.string()) for name in [*names, VOUCHED_BY]})
        table = pa.concat_tables(parts, promote_options="permissive")
        order = self.query.tree.args.get("order")
        if order is None:
            return table
        by = [(term.this.name, "descending" if term.args.get("desc") else "ascending") for term in order.expressions]
        if any(name not in names for name, _ in by):
            raise UsageError("ORDER BY beside RECALL or PRECISION takes columns of the answer")
        return table.sort_by(by)

    # -- promises -------------------------------------------------------------------------------------------

    def _exact(self, reason: str) -> Answer:
        asked = asked_of(self.target)
        answer = exact_answer(self.engine, self.bound, asked, self.seed, self.work, reason, self.sample.size)
        rows = answer.rows
        assert not isinstance(rows, str)
        return Answer(
            rows.append_column(VOUCHED_BY, [["oracle"] * rows.num_rows]) if rows.num_rows else rows, answer.guarantee
        )

    def _guarantee(self, certificate: Certificate, proxied: int) -> Guarantee:
        promised = {"recall": self.target.recall_min, "precision": self.target.precision_min}
        if self.needs_models:
            promised["precision"] = 1.0 if self.target.precision_min is not None else None
        asked = int(np.isfinite(self.labels).sum() - self.known.sum())
        return Guarantee(
            target=asked_of(self.target),
            confidence=self.confidence,
            tier="finite-sample",
            method="fixed-sequence tests of thresholds on a proxy",
            intervals={name: [(least, 1.0)] for name, least in promised.items() if least is not None},
            sampled=int(np.isfinite(self.labels).sum()),
            population=self.sample.size,
            seed=self.seed,
            assumptions=(*certificate.assumptions, "a unit counts once, however many rows it has"),
            details={
                "proxy": self.proxy,
                "proxy_calls": self.proxy_calls,
                **({"proxies_tried": [one.as_json() for one in self.tried]} if self.tried else {}),
                "units": {"oracle": asked, "cache": int(self.known.sum()), "proxy": proxied},
                "accept_above": _finite(certificate.accept_above),
                "reject_below": _finite(certificate.reject_below),
                "delta": {"all": 1 - self.confidence, "promises": len([p for p in promised.values() if p])},
            },
        )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
