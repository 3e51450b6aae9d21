"""The plan of a query as a tree, with what it will cost before it costs it, and what it did cost after."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from suffice.answer.engine import Engine
from suffice.answer.exact import answer_exactly
from suffice.answer.recursion import Recursion, calls_of, no_rows, without_recursion
from suffice.answer.result import Pixels, Result
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.early_limit import early_limit
from suffice.sql.sparse import SparsePlan, plan_sparsely


@dataclass(frozen=True)
class _Prediction:
    """Inputs of a site, and how that is known: counted, or scaled up from what the calls before it left so far."""

    inputs: float
    cached: int
    seconds: float
    is_counted: bool
    guards: tuple[str, ...]

    @property
    def calls(self) -> float:
        return max(self.inputs - self.cached, 0)


def explain_lines(engine: Engine, bound: Bound, analyze: bool, work: Work, pixels: Pixels) -> list[str]:
    """The plan; with `analyze` the query runs and its actual work stands beside the prediction."""
    lines, asked = ["answer (exact)"], bound

    def stepped(engine: Engine, recursion: Recursion) -> str:
        lines.append(f"├─ WITH RECURSIVE {recursion.name}: step by step, each over the rows of the one before")
        lines.extend(f"│    {bound.calls[n].written} on what its rows need" for n in calls_of(recursion))
        return no_rows(engine, recursion)

    bound = without_recursion(engine, bound, stepped)
    plan = plan_sparsely(bound, engine.describe)
    walk = early_limit(plan)
    order, predictions = _in_order(engine, plan)
    if walk is not None:
        by = f" in order of {walk.order_sql}" if walk.order_sql else ""
        lines.append(f"├─ limit: walks {bound.media[walk.media].function}(){by} until {walk.rows} rows are found")
    for name in sorted(bound.media):
        media = bound.media[name]
        ((rows,),) = engine.database.rows(f"SELECT count(*) FROM {media.table}")
        lines.append(f"├─ {media.function}: {rows:,} rows")
    for index in order:
        lines += _site_lines(bound.calls[plan.sites[index].number].written, predictions[index])
    if analyze:
        Result(engine.database, answer_exactly(engine, asked, work), work, pixels)
        lines += _actual_lines(plan, predictions, work)
    return _closed(lines)


def _in_order(engine: Engine, plan: SparsePlan) -> tuple[list[int], dict[int, _Prediction]]:
    """Sites in an order they could run in, each predicted from those before it."""
    known: set[int] = set()
    order: list[int] = []
    predictions: dict[int, _Prediction] = {}
    share_known = 1.0
    while len(order) < len(plan.sites):
        ready = [i for i, s in enumerate(plan.sites) if i not in predictions and plan.need(s, frozenset(known))]
        ready = [i for i in ready if plan.sites[i].filters] or ready
        if not ready:
            break
        index = ready[0]
        prediction = _predict(engine, plan, index, frozenset(known), share_known)
        if prediction.inputs:
            share_known = min(share_known, prediction.cached / prediction.inputs)
        order.append(index)
        predictions[index] = prediction
        known.add(plan.sites[index].number)
    return order, predictions


def _predict(engine: Engine, plan: SparsePlan, index: int, known: frozenset[int], share_known: float) -> _Prediction:
    """Count the inputs over what is in the store; where calls before it are not complete, scale up."""
    site = plan.sites[index]
    call = plan.bound.calls[site.number]
    need = plan.need(site, known)
    assert need is not None, "only sites that are ready are predicted"
    ((inputs, cached),) = engine.database.rows(f"SELECT count(*), count(*) FILTER (WHERE {need.is_kept}) {need.needed}")
    hangs_on_steps = any(table in need.sql for table in engine.passing)
    count = int(str(inputs)) / share_known if share_known and not hangs_on_steps else math.nan
    seconds = (count - int(str(cached))) * engine.results.seconds_per_input(call.call)
    readable = tuple(dict.fromkeys(_readable(guard, plan) for guard in need.guards if "__a" not in guard))
    return _Prediction(count, int(str(cached)), seconds, share_known == 1.0, readable)


def _site_lines(written: str, prediction: _Prediction) -> list[str]:
    if math.isnan(prediction.inputs):
        text = f"├─ {written}: as many inputs as the calls before it leave"
    else:
        about = "" if prediction.is_counted else "about "
        text = (
            f"├─ {written}: {about}{prediction.inputs:,.0f} inputs, {prediction.cached:,} cached,"
            f" {about}{prediction.calls:,.0f} calls, {prediction.seconds:.1f} s"
        )
    return [text] + [f"│    only where {guard}" for guard in prediction.guards]


def _readable(guard: str, plan: SparsePlan) -> str:
    """A predicate as its writer would know it: our prefixes and placeholders taken off."""
    text = guard
    for number, call in plan.bound.calls.items():
        written = call.written.replace("\\", r"\\")
        text = re.sub(rf"__SCALAR_{number}\((?:[^()]|\([^()]*\))*\)", written, text, flags=re.IGNORECASE)
    return re.sub(r"\b(?:m\d+_)+", "", text)


def _actual_lines(plan: SparsePlan, predictions: dict[int, _Prediction], work: Work) -> list[str]:
    lines = ["actual"]
    predicted: dict[str, float] = {}
    for index, prediction in predictions.items():
        name = plan.bound.calls[plan.sites[index].number].name
        predicted[name] = predicted.get(name, 0) + prediction.calls
    for name, calls in predicted.items():
        done = work.of(name)
        guess = "not predicted" if math.isnan(calls) else f"predicted {calls:,.0f}"
        lines.append(
            f"├─ {name}: {done.done:,} calls ({guess}), {done.cached:,} cached, {done.skipped:,} skipped,"
            f" {done.seconds:.2f} s"
        )
    return [*lines, f"├─ {', '.join(f'{stage} {seconds:.3f} s' for stage, seconds in work.seconds.items())}"]


def _closed(lines: list[str]) -> list[str]:
    """The last branch of each tree ends it."""
    closed, is_last = [], True
    for line in reversed(lines):
        mark = line[0]
        if mark not in "├│":
            closed.append(line)
            is_last = True
            continue
        closed.append({"├": "└", "│": " "}[mark] + line[1:] if is_last else line)
        is_last = is_last and mark != "├"
    return closed[::-1]
