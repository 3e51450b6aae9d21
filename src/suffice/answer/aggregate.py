"""Aggregates over stored tables within an error bound: draw blocks, bound, draw more or read everything.

One look at a time: a pilot, then at most two draws whose size earlier ones suggest. Each look conditions on what was
read before it (those blocks count exactly) and bounds the rest from its own fresh blocks, so a size chosen by looking
at data spends nothing; the looks share the failure probability in fixed parts.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
from sqlglot import exp

from suffice.answer.asked import Asked, asked_of
from suffice.answer.block_sums import BlockSums, Groups, Ints, first_draw, next_draw
from suffice.answer.certificate import Certificate
from suffice.answer.certify_asymptotic import ASSUMPTIONS as ASYMPTOTIC
from suffice.answer.certify_finite import ASSUMPTIONS as FINITE
from suffice.answer.decision import Decision
from suffice.answer.sampling_plan import SamplingPlan, plan_sampling
from suffice.answer.table_engine import TableEngine
from suffice.answer.target import AggregateGuarantee, Target
from suffice.estimate.unseen_groups import unseen_group_blocks_max
from suffice.sql.aggregate.block_query import block_query
from suffice.sql.aggregate.final_query import ROW, final_query
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.tables.source import BLOCK, DRAWN

LOOK_SHARES = (0.1, 0.7, 0.1)
"""Of the failure probability, for each look; the rest is for groups that no draw may have seen."""

_MARGIN = 0.85  # of the tolerance, aimed at so that one more look suffices
_PROOF_FACTOR, _PROOF_SHARE = (
    3.0,
    0.05,
)  # a proof may cost this much more than trust in a limit, or this share of blocks
_ENTRIES_WANTED, _ENTRIES_MAX = 150_000, 500_000


def answer_within(
    statement: exp.Select, target: Target, engine: TableEngine, seed: int = 0
) -> tuple[pa.Table, AggregateGuarantee]:
    """Answer `statement` (without its WITHIN clause) to `target`.

    Returns:
        The result with the columns and types of the exact one, and what it rests on; tier "exact", with the reason,
        when no bound is known or none would be cheaper.
    """
    try:
        with engine.snapshot():
            return _Sampling(plan_sampling(statement, engine), target, engine, seed).run()
    except NotSampledError as error:
        reason = str(error)
    except engine.errors as error:  # whatever is wrong with the statement, the exact one says it best
        reason = str(error).splitlines()[0]
    with engine.snapshot():
        result = engine.execute(statement.sql(dialect=engine.dialect))
    return result, AggregateGuarantee(target.error_relative_max, 1.0, "exact", f"answered exactly: {reason}", seed=seed)


class _Sampling:
    """One run of looks at a statement."""

    def __init__(self, plan: SamplingPlan, target: Target, engine: TableEngine, seed: int) -> None:
        self.plan, self.target, self.engine, self.seed = plan, target, engine, seed
        self.asked: Asked = asked_of(plan)
        self.batches: dict[Formula, Ints] = {}
        self.groups = Groups(len(plan.query.keys))
        self.rows_read, self._joins_counted = 0, len(plan.tables.tables) == 1

    def run(self) -> tuple[pa.Table, AggregateGuarantee]:
        """Look until decided."""
        source = self.plan.source
        if source.blocks * source.share_max < source.pilot_blocks:
            raise NotSampledError(f"the table is small ({source.rows} rows)")
        sums = self._draw(0, source.pilot_blocks / source.blocks, None)
        for look in range(len(LOOK_SHARES)):
            decision = self._decide(sums, look)
            if decision.is_decided():
                return self._answer(sums, decision, look)
            if look + 1 < len(LOOK_SHARES):
                sums = self._look_again(sums, look + 1)
        raise NotSampledError("the draws did not reach the error asked for")

    def _decide(self, sums: BlockSums, look: int) -> Decision:
        decision = Decision(self._certificate(sums, look), self._unseen_blocks(sums))
        if decision.is_decided() and not self._joins_counted:
            self.plan, self._joins_counted = self.plan.with_joins_counted(self.engine), True
            decision = Decision(self._certificate(sums, look), self._unseen_blocks(sums))
        return decision

    def _look_again(self, sums: BlockSums, look: int) -> BlockSums:
        certificate = self._certificate(sums, look)
        wanted = self._next_size(certificate)
        factor = self._coarsen(sums, wanted)
        self.batches = {f: np.maximum(b // factor, 1) for f, b in certificate.batches(wanted).items()}
        return self._draw(look, wanted / (sums.left - len(sums.drawn)), sums, factor)

    def _draw(self, look: int, share: float, earlier: BlockSums | None, factor: int = 1) -> BlockSums:
        """Draw blocks and bring back their sums."""
        seed = int(np.random.default_rng([self.seed, look]).integers(2**31))
        drawn = self.plan.source.draw(share, seed, self.plan.columns())
        query = block_query(
            self.plan.statement, self.plan.query, self.plan.table, drawn.relation_sql, BLOCK, DRAWN, self.engine.dialect
        )
        table = self.engine.execute(query.sql(dialect=self.engine.dialect))
        if table.num_rows > _ENTRIES_MAX:
            raise NotSampledError("too many groups")
        sums = first_draw(
            table,
            drawn.blocks,
            int(drawn.rows.sum()),
            self.plan.source.blocks,
            len(self.plan.query.pieces),
            self.groups,
        )
        sums = sums if earlier is None else next_draw(earlier, sums, drawn.rows, factor)
        self.rows_read += sums.rows
        if not self.groups.index or not len(sums.drawn):
            raise NotSampledError("no row of the first draw matches")
        return sums

    def _certificate(self, sums: BlockSums, look: int) -> Certificate:
        delta = (1 - self.target.confidence) * LOOK_SHARES[look]
        return Certificate(self.plan, self.asked, sums, self.target, delta, self.seed, self.batches)

    def _next_size(self, certificate: Certificate) -> int:
        """Blocks to draw next; raises when that is too many."""
        left = certificate.sums.left - len(certificate.sums.drawn)
        source = self.plan.source
        most = source.share_max * source.blocks - (source.blocks - left)
        sizes = [int(n) for n in np.geomspace(source.pilot_blocks / 2, max(most, 1), 60) if n <= most]
        proved = next((n for n in sizes if certificate.suffices(n, _MARGIN, finite_only=True)), None)
        trusted = next((n for n in sizes if certificate.suffices(n, _MARGIN, finite_only=False)), None)
        if trusted is None:
            raise NotSampledError(f"a sample would have to read more than {source.share_max:.0%} of the table")
        is_cheap = proved is not None and proved <= max(_PROOF_FACTOR * trusted, _PROOF_SHARE * source.blocks)
        return proved if proved is not None and is_cheap else trusted

    def _coarsen(self, sums: BlockSums, wanted: int) -> int:
        """Join blocks where so many would come back that adding them up here would cost more than reading them."""
        expected = len(sums.group) * wanted / max(len(sums.drawn), 1)
        factor = 2 ** max(0, math.ceil(math.log2(max(expected / _ENTRIES_WANTED, 1))))
        coarser = self.plan.source.coarser(factor)
        joined = coarser.rows_per_block_max // self.plan.source.rows_per_block_max
        self.plan = replace(self.plan, source=coarser)
        return joined

    def _answer(self, sums: BlockSums, decision: Decision, look: int) -> tuple[pa.Table, AggregateGuarantee]:
        names, types = self.plan.names, self.plan.types
        assert decision.shown is not None
        composed = self._compose(sums, np.flatnonzero(decision.shown), names, types)
        order = composed.column(ROW).to_numpy()
        shown = {names[i]: decision.intervals[f] for i, f in self.asked.values.items()}
        finite = all(bool(i.finite[order].all()) for i in decision.intervals.values())
        guarantee = AggregateGuarantee(
            target=self.target.error_relative_max,
            confidence=self.target.confidence,
            tier="finite-sample" if finite else "asymptotic",
            method="betting on block sums" if finite else "student t on block sums",
            intervals={
                n: list(zip(i.low[order].tolist(), i.high[order].tolist(), strict=True)) for n, i in shown.items()
            },
            sampled=len(sums.before) + len(sums.drawn),
            population=self.plan.source.blocks,
            rows_read=self.rows_read,
            rows_total=self.plan.source.rows,
            groups_missing_blocks_max=self._unseen_blocks(sums) if self.plan.query.keys else None,
            rows_per_block_max=self.plan.source.rows_per_block_max,
            looks=look + 1,
            seed=self.seed,
            assumptions=(FINITE if finite else ASYMPTOTIC) + self.plan.source.assumptions,
        )
        return composed.drop_columns([ROW]), guarantee

    def _unseen_blocks(self, sums: BlockSums) -> int:
        delta = (1 - self.target.confidence) * (1 - sum(LOOK_SHARES))
        return unseen_group_blocks_max(len(sums.drawn), sums.left, self.plan.source.rows, delta)

    def _compose(self, sums: BlockSums, shown: np.ndarray, names: list[str], types: list[str]) -> pa.Table:
        totals = sums.totals
        keys = list(self.groups.index)
        columns = {ROW: pa.array(shown)}
        for i in range(self.groups.keys):
            columns[f"__k{i}"] = pa.array([keys[g][i] for g in shown], self.groups.types[i])
        for i, (_, formula) in enumerate(self.plan.query.aggregates):
            columns[f"__a{i}"] = pa.array(formula.value_and_gradient(totals)[0][shown])
        estimates = pa.table(columns)
        query = final_query(self.plan.query, "__estimates", names, types)
        return self.engine.compose(query.sql(dialect="duckdb"), "__estimates", estimates)
