"""Run the models a query needs, on what it needs, cheapest way first.

The order is re-planned after every wave: of the calls that are ready, filters come first, by cost / (1 − share that
survives), where both are measured on what has run so far. A filter nobody has measured yet gets a pilot.
"""

from __future__ import annotations

import time
import warnings
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suffice.answer.engine import Engine, InterruptedWorkError
from suffice.answer.progress import Bar, progress_bar
from suffice.answer.work import ModelWork, Work
from suffice.errors import ModelUnavailableError, SufficeError, SufficeWarning, UsageError
from suffice.models.protocol import IMAGE
from suffice.sql.inputs import Inputs
from suffice.sql.plan import BoundCall
from suffice.sql.rewrite.as_sql import takes_whole_blobs
from suffice.sql.rewrite.needs import Site
from suffice.sql.sparse import SparsePlan
from suffice.store.explained import one_line
from suffice.store.ledger import Ledger
from suffice.store.results import Finished

if TYPE_CHECKING:
    from suffice.media.frames_ahead import FramesAhead
    from suffice.models.run import Outcome

PILOT_INPUTS = 32
WAVE_SECONDS = 10.0
"""How long one filter runs before the order is looked at again, when another could go first."""

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class _Ready:
    """A site that could run now, and the inputs it still needs."""

    site: Site
    call: BoundCall
    inputs: Inputs
    missing: list[Arguments]
    key: tuple[object, ...] | None


@dataclass
class Materialiser:
    """One statement's progress. `failed` inputs are not tried twice in one statement; `sparse` False spares nothing;
    `ahead` are frames that later runs will ask for."""

    engine: Engine
    work: Work
    sparse: bool = True
    ahead: FramesAhead | None = None
    failed: set[tuple[int, str]] = field(default_factory=set)
    begun: set[tuple[int, str]] = field(default_factory=set)

    def run(self, plan: SparsePlan) -> None:
        """Make every call of the plan known for every input that can matter."""
        done: set[int] = set()
        while len(done) < len(plan.sites):
            ready = self._ready(plan, done)
            finished = [index for index, one in ready.items() if not one.missing]
            if finished:
                for index in finished:
                    self._count_cached(ready[index])
                done.update(finished)
                continue
            if not ready:
                waiting = next(site for i, site in enumerate(plan.sites) if i not in done)
                written = plan.bound.calls[waiting.number].written
                raise UsageError(f"{written}: what it must see cannot be told; put its argument into a subquery first")
            index = self._choose(plan, ready, done)
            self._wave(plan, ready, index, done)

    def known(self, plan: SparsePlan, done: set[int]) -> frozenset[int]:
        """The calls all of whose sites are done."""
        waiting = {site.number for i, site in enumerate(plan.sites) if i not in done}
        return frozenset(plan.bound.calls.keys() - waiting)

    def _ready(self, plan: SparsePlan, done: set[int]) -> dict[int, _Ready]:
        """Sites whose inputs can be listed; those in SELECT wait for those that filter."""
        known, ready = self.known(plan, done), {}
        for index, site in enumerate(plan.sites):
            if index in done or not self._is_turn(plan, index, done):
                continue
            need = plan.need(site, known, guarded=self.sparse)
            if need is not None:
                call = plan.bound.calls[site.number]
                key = _memory_key(plan, call, need.sql)
                missing = [] if key in self.engine.complete else self._missing(call, need)
                ready[index] = _Ready(site, call, need, missing, key)
        return ready

    def _is_turn(self, plan: SparsePlan, index: int, done: set[int]) -> bool:
        site = plan.sites[index]
        return site.filters or all(
            other.scope is not site.scope or i in done for i, other in enumerate(plan.sites) if other.filters
        )

    def _missing(self, call: BoundCall, need: Inputs) -> list[Arguments]:
        import duckdb

        try:
            rows = self.engine.database.rows(f"SELECT {need.columns} {need.needed} AND NOT {need.is_kept}")
        except duckdb.ConversionException as error:
            wanted = ", ".join(f"{column.name} {column.type}" for column in call.call.signature.inputs)
            said = one_line(error).partition(" when casting from source column")[0]
            raise UsageError(f"{call.written}: it takes ({wanted}): {said}") from None
        return [row for row in rows if not self.failed or _input_key(call, row) not in self.failed]

    # -- order ----------------------------------------------------------------------------------------------

    def _choose(self, plan: SparsePlan, ready: dict[int, _Ready], done: set[int]) -> int:
        """The next site: filters by cost / (1 − selectivity), then the rest in their order."""
        filters = {i: one for i, one in ready.items() if one.site.filters}
        if not filters:
            return min(ready)
        return min(filters, key=lambda i: self._rank(plan, filters[i], done)) if len(filters) > 1 else min(filters)

    def _rank(self, plan: SparsePlan, one: _Ready, done: set[int]) -> float:
        cost_s = self.engine.results.seconds_per_input(one.call.call) + one.call.model.signature.price
        selectivity = self._selectivity(plan, one, done)
        return -1.0 if selectivity is None else cost_s / max(1.0 - selectivity, 1e-6)

    def _selectivity(self, plan: SparsePlan, one: _Ready, done: set[int]) -> float | None:
        """Share of the inputs seen so far that survive the predicates on this call; None before any was seen."""
        survivors = plan.need(one.site, self.known(plan, done) | {one.site.number}, surviving=True)
        if survivors is None:
            return 1.0
        seen = self._count(one.inputs, " AND " + one.inputs.is_kept)
        return self._count(survivors, " AND " + survivors.is_kept) / seen if seen else None

    def _count(self, need: Inputs, more: str = "") -> int:
        ((count,),) = self.engine.database.rows(f"SELECT count(*) {need.needed}{more}")
        return int(str(count))

    # -- running --------------------------------------------------------------------------------------------

    def _wave(self, plan: SparsePlan, ready: dict[int, _Ready], index: int, done: set[int]) -> None:
        """Run a site to its end, or, while other filters compete with it, for a while."""
        one = ready[index]
        rivals = [other for i, other in ready.items() if i != index and other.site.filters and one.site.filters]
        inputs = one.missing
        if rivals:
            measured = self._selectivity(plan, one, done) is not None
            per_wave = int(WAVE_SECONDS / max(self.engine.results.seconds_per_input(one.call.call), 1e-4))
            inputs = inputs[: max(per_wave, PILOT_INPUTS) if measured else PILOT_INPUTS]
        self._check_types(one)
        with self.engine.database.writer.holding(one.call.call.call_id) as waited:
            if waited or self.engine.database.is_postgres:  # somebody else may have paid for them meanwhile
                inputs = self._missing(one.call, one.inputs)[: len(inputs)]
            if inputs:
                self._check_progress(one.call, inputs[0])
                self.engine.budget.check(one.call, len(inputs), self.work, self.engine.results)
                self.compute(one.call, inputs)

    def _check_types(self, one: _Ready) -> None:
        """An image is a reference, which is text: anything else would fail input by input."""
        signature = one.call.call.signature
        given = self.engine.database.rows(f"DESCRIBE SELECT {one.inputs.columns} {one.inputs.needed}")
        for column, (_, kind, *_) in zip(signature.inputs, given, strict=False):
            if column.type == IMAGE and kind not in ("VARCHAR", '"NULL"'):
                raise UsageError(
                    f"{one.call.written}: {column.name} is an image, as the column `image` of images() and frames() is,"
                    f" not {kind}"
                )

    def _check_progress(self, call: BoundCall, first: Arguments) -> None:
        """What was kept and is not found again would be paid for again and again."""
        key = _input_key(call, first)
        if key in self.begun:
            raise SufficeError(f"{call.name}: its result for {first!r:.200} was kept but cannot be found again")
        self.begun.add(key)

    def compute(self, call: BoundCall, inputs: list[Arguments]) -> None:
        """Run the model on `inputs` and keep every batch as it comes."""
        from suffice.models.run import StageSeconds  # an answer from the store decodes nothing

        engine, name = self.engine, call.name
        work = self.work.of(name)
        stages, started = StageSeconds(), time.perf_counter()
        done_before, price_before = work.done, work.price
        numbers = self._blob_ids(call, inputs)
        has_worked = engine.results.has_worked(call.call)
        locate = engine.catalogue.locate if self.ahead is None else self.ahead.locating(engine.catalogue.locate)
        ledger = Ledger(engine.database)
        ledger.balance(call.model)
        batches_of_call = engine.inference.run(
            call.model, engine.registry.recipe(call.model), inputs, locate, stages, has_worked
        )
        try:
            with (
                progress_bar(name, len(inputs), engine.show_progress) as bar,
                closing(batches_of_call) as batches,
            ):
                for outcomes in batches:
                    ledger.balance(call.model)
                    self._keep(call, inputs, numbers, outcomes, work, bar)
        except KeyboardInterrupt:
            kept = f"{work.done - done_before:,} of {len(inputs):,} inputs of {name} are kept"
            raise InterruptedWorkError(f"interrupted: {kept}, the same statement goes on from there") from None
        finally:
            seconds = time.perf_counter() - started
            work.seconds += seconds
            ledger.balance(call.model)
            self.work.spend(name, seconds)
            engine.results.used(
                call.call, done=work.done - done_before, cached=0, seconds=seconds, price=work.price - price_before
            )
        if work.failed:
            warnings.warn(
                f"{name}: {work.failed:,} inputs failed; SELECT * FROM problems names them", SufficeWarning, 2
            )

    def _keep(
        self,
        call: BoundCall,
        inputs: list[Arguments],
        numbers: dict[Arguments, int],
        outcomes: list[Outcome],
        work: ModelWork,
        bar: Bar,
    ) -> None:
        good, bad = [], []
        for outcome in outcomes:
            arguments = inputs[outcome.position]
            if outcome.error is None:
                good.append(Finished(arguments, outcome.rows, numbers.get(arguments) if numbers else None))
            else:
                bad.append((arguments, outcome.error))
        refused = self.engine.results.write(call.call, good) if good else []
        bad += [(one.arguments, error) for one, error in refused]
        for _, error in bad:
            if isinstance(error, ModelUnavailableError):
                raise error
        for arguments, error in bad:
            self.failed.add(_input_key(call, arguments))
            self._note_problem(call, arguments, error)
        computed = self.work.computed
        computed[call.call.call_id] = computed.get(call.call.call_id, 0) + len(good) - len(refused)
        work.done += len(good) - len(refused)
        work.failed += len(bad)
        work.price += call.model.signature.price * len(good)
        self.work.rows_read += len(outcomes)
        bar.advance(len(outcomes))

    def _note_problem(self, call: BoundCall, arguments: Arguments, error: Exception) -> None:
        what, said = (
            text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
            for text in (", ".join(str(each)[:200] for each in arguments), f"{type(error).__name__}: {error}")
        )
        self.engine.database.rows(
            f"INSERT INTO {self.engine.database.schema}.problems VALUES (now()::TIMESTAMP, ?, ?, ?)",
            [what, call.name, said],
        )

    def _blob_ids(self, call: BoundCall, inputs: list[Arguments]) -> dict[Arguments, int]:
        """The blob's number for each input that is a whole blob."""
        if not takes_whole_blobs(call):
            return {}
        import pyarrow as pa

        database = self.engine.database
        with database.lock:
            database.connection.register("suffice_wanted", pa.table({"image": [row[0] for row in inputs]}))
            rows = database.rows(
                f"SELECT b.image, b.blob_id FROM {database.schema}.blobs b"
                " SEMI JOIN suffice_wanted w ON w.image = b.image"
            )
            database.connection.unregister("suffice_wanted")
        return {(image,): int(str(blob_id)) for image, blob_id in rows}

    # -- counting -------------------------------------------------------------------------------------------

    def _count_cached(self, one: _Ready) -> None:
        """Book what was there before this statement. Of several sites of one call the largest need counts."""
        cached = self.engine.complete.get(one.key or ())
        if cached is None:
            cached = self._count(one.inputs, f" AND {one.inputs.is_kept}" if self.failed else "")
        if one.key is not None and not self.failed:
            self.engine.complete[one.key] = cached
        call_id = one.call.call.call_id
        found = max(cached - self.work.computed.get(call_id, 0), 0)
        more = max(found - self.work.found.get(call_id, 0), 0)
        self.work.found[call_id] = self.work.found.get(call_id, 0) + more
        self.work.of(one.call.name).cached += more
        self.work.hits.append((one.call.call, more))
        self.engine.results.used(one.call.call, done=0, cached=more, seconds=0.0, price=0.0)

    def count_skipped(self, plan: SparsePlan) -> None:
        """Book what a run that spares nothing would have computed besides."""
        everything = frozenset(plan.bound.calls)
        counted: dict[str, int] = {}  # sites may need the same
        totals: dict[str, int] = {}
        for site in plan.sites:
            call = plan.bound.calls[site.number]
            need = plan.need(site, everything - {site.number}, guarded=False)
            if need is not None:
                if need.sql not in counted:
                    counted[need.sql] = self._total(plan, call, need)
                totals[call.name] = max(totals.get(call.name, 0), counted[need.sql])
        for name, total in totals.items():
            work = self.work.of(name)
            work.skipped = max(total - work.done - work.cached - work.failed, 0)

    def _total(self, plan: SparsePlan, call: BoundCall, need: Inputs) -> int:
        """All inputs of a site; known already where they all were needed, and remembered."""
        complete = self.engine.complete
        keys = [_memory_key(plan, call, text) for text in (need.sql, f"total {need.sql}")]
        found = next((complete[key] for key in keys if key in complete), None)
        count = self._count(need) if found is None else found
        if keys[1] is not None and not self.work.of(call.name).done:
            complete[keys[1]] = count
        return count


def _input_key(call: BoundCall, arguments: Arguments) -> tuple[int, str]:
    """What tells an input; as text, for lists and NaN make poor members of a set."""
    return call.call.call_id, repr(arguments)


def _memory_key(plan: SparsePlan, call: BoundCall, need_sql: str) -> tuple[object, ...] | None:
    """What a need is remembered by: its SQL and the rows its media had; None when anything else may change it."""
    versions = tuple(media.version for media in plan.bound.media.values())
    return None if not plan.is_repeatable or None in versions else (call.call.call_id, need_sql, versions)
