"""The plan of a query as a tree, with what it will cost before it costs it, and what it did cost after."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.answer.engine import Engine
from suffice.answer.exact import answer_exactly
from suffice.answer.result import Pixels, Result
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.early_limit import early_limit
from suffice.sql.sparse import SparsePlan, plan_sparsely


@dataclass(frozen=True)
class _Prediction:
    """Inputs of a site: `exact` when they were counted, else an upper bound from what is known already."""

    inputs: int
    cached: int
    seconds: float
    exact: bool
    guards: tuple[str, ...]


def explain_lines(engine: Engine, bound: Bound, analyze: bool, work: Work, pixels: Pixels) -> list[str]:
    """The plan; with `analyze` the query runs and its actual work stands beside the prediction."""
    plan = plan_sparsely(bound, engine.describe)
    walk = early_limit(plan)
    predictions = [_predict(engine, plan, index) for index in range(len(plan.sites))]
    lines = ["answer (exact)"]
    if walk is not None:
        order = f" in order of {walk.order_sql}" if walk.order_sql else ""
        lines.append(f"├─ limit: walks {bound.media[walk.media].function}(){order} until {walk.rows} rows are found")
    for name in sorted(bound.media):
        media = bound.media[name]
        ((rows,),) = engine.database.rows(f"SELECT count(*) FROM {media.table}")
        lines.append(f"├─ {media.function}: {rows:,} rows")
    for site, prediction in zip(plan.sites, predictions, strict=True):
        lines += _site_lines(bound.calls[site.number].written, prediction)
    lines[-1] = lines[-1].replace("├─", "└─").replace("│ ", "  ")
    if analyze:
        Result(engine.database, answer_exactly(engine, bound, work), work, pixels)
        lines += _actual_lines(plan, predictions, work)
    return lines


def _site_lines(written: str, prediction: _Prediction) -> list[str]:
    bound = "" if prediction.exact else "at most "
    fresh = prediction.inputs - prediction.cached
    lines = [
        f"├─ {written}: {bound}{prediction.inputs:,} inputs, {prediction.cached:,} cached,"
        f" {fresh:,} calls, {bound}{prediction.seconds:.1f} s"
    ]
    return lines + [f"│    only where {guard}" for guard in prediction.guards]


def _predict(engine: Engine, plan: SparsePlan, index: int) -> _Prediction:
    """Count the site's inputs over what is known; what hangs on unknown calls is taken as it stands in the store."""
    site = plan.sites[index]
    call = plan.bound.calls[site.number]
    need = plan.need(site, frozenset())
    exact = need is not None and len(plan.sites) == 1
    if need is None:
        need = plan.need(site, frozenset(plan.bound.calls) - {site.number})
    if need is None:
        return _Prediction(0, 0, 0.0, False, ())
    ((inputs,),) = engine.database.rows(f"SELECT count(*) FROM ({need[0]})")
    same = " AND ".join(f"i.a{n} = n.a{n}" for n in range(len(call.call.signature.inputs))) or "true"
    ((cached,),) = engine.database.rows(
        f"SELECT count(*) FROM ({need[0]}) n WHERE EXISTS (SELECT 1 FROM {call.call.inputs_table} i WHERE {same})"
    )
    count, known = int(str(inputs)), int(str(cached))
    seconds = (count - known) * engine.results.seconds_per_input(call.call)
    return _Prediction(count, known, seconds, exact, tuple(_readable(guard) for guard in need[1]))


def _readable(guard: str) -> str:
    return guard.removeprefix("(").removesuffix(")")


def _actual_lines(plan: SparsePlan, predictions: list[_Prediction], work: Work) -> list[str]:
    lines = ["actual"]
    predicted: dict[str, int] = {}
    for site, prediction in zip(plan.sites, predictions, strict=True):
        name = plan.bound.calls[site.number].name
        predicted[name] = predicted.get(name, 0) + prediction.inputs - prediction.cached
    for name, calls in predicted.items():
        done = work.of(name)
        lines.append(
            f"├─ {name}: {done.done:,} calls (predicted {calls:,}), {done.cached:,} cached, {done.skipped:,} skipped,"
            f" {done.seconds:.2f} s"
        )
    lines.append(f"└─ {', '.join(f'{stage} {seconds:.3f} s' for stage, seconds in work.seconds.items())}")
    return lines
