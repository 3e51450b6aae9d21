"""What an aggregate from a sample promises, and everything needed to check it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.answer.asked import asked_of
from suffice.answer.guarantee import Guarantee

if TYPE_CHECKING:
    from suffice.answer.aggregate import AggregateRun

Ends = tuple[float, float]


def guarantee_of(run: AggregateRun, intervals: dict[str, list[Ends]], undecided: int) -> Guarantee:
    """The promise about the rows, with all that is needed to check it; `undecided` groups are left open by HAVING."""
    bounded = all(panel.is_bounded for panel in run.panels)
    seen = sum(panel.seen for panel in run.panels)
    details: dict[str, Any] = {
        "known_before": run.kept,
        "representatives": run.represented,
        "pilot": run.pilot,
        "drawn": int(seen - run.known.sum()),
        "delta": {"all": 1 - run.confidence, "statements": _statements(run)},
        "proxy": run.proxy_name,
    }
    if run.tried:
        details["proxies_tried"] = [one.as_json() for one in run.tried]
    if run.truth is not None:
        details["truth"] = {"table": run.truth.table, "labelled": int(run.truth.units.size)}
    if undecided:
        details["rows_by_estimates"] = undecided
    if any(panel.grows for panel in run.panels):
        details.update(_missed_groups(run))
    return Guarantee(
        target=asked_of(run.target),
        confidence=run.confidence,
        tier="finite-sample" if bounded else "asymptotic",
        method="betting over clusters, strata and predictions" if bounded else "t intervals at doubling looks",
        intervals=intervals,
        sampled=seen,
        population=run.sample.size,
        seed=run.seed,
        assumptions=_assumptions(run, bounded),
        details=details,
    )


def _missed_groups(run: AggregateRun) -> dict[str, Any]:
    """What is promised of groups that the models make and no unit looked at is in."""
    (panel,) = run.panels
    most = panel.missed_units_max
    if most is None or most >= panel.size:
        return {"groups": "those met in the sample; any number of others may be missing"}
    return {
        "groups": f"those met in the sample; any other has rows in at most {most:,} of {panel.size:,} units",
        "missed_group_units_max": most,
    }


def _statements(run: AggregateRun) -> int:
    return sum(len(panel.groups) * len(panel.atoms) for panel in run.panels)


def _assumptions(run: AggregateRun, bounded: bool) -> tuple[str, ...]:
    media = run.query.plan.bound.media[run.query.relation].function
    first = f"units ({media}) drawn at random by the seed"
    oracle = "the models' answers are the truth"
    if run.truth is not None:
        oracle = f"the units in {run.truth.table} are a random sample, and what is said of them is the truth"
    if not bounded:
        return first, oracle, "n large enough for a normal limit: no range is declared, so no bound is proved"
    ranges = [
        f"a unit's {piece.sql.removeprefix('coalesce(').removesuffix(', 0)::DOUBLE')} lies in"
        f" [{piece.low:g}, {piece.high:g}]"
        for piece in run.query.formulas.pieces
    ]
    return first, oracle, *dict.fromkeys(ranges)
