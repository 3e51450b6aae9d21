"""Which kind of answer a statement with a target is asked for, and whether the target fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from suffice.errors import UsageError
from suffice.sql.plan import Bound
from suffice.sql.target import Target

if TYPE_CHECKING:
    from sqlglot import exp

Kind = Literal["aggregate", "selection", "limit"]


def kind_of(bound: Bound, target: Target) -> Kind:
    """The kind of answer.

    Raises:
        UsageError: the clauses do not fit the statement or each other; the message says what can be asked instead.
    """
    kind = _kind(bound, target)
    if target.truth is not None and kind != "aggregate":
        raise UsageError(
            f"TRUTH {target.truth} is for aggregates: add WITHIN e% or BUDGET n CALLS to SELECT count(*) …"
        )
    return kind


def _kind(bound: Bound, target: Target) -> Kind:
    wants_rows = target.recall_min is not None or target.precision_min is not None
    wants_number = target.error_relative_max is not None
    has_aggregate = _has_aggregate(bound.tree)
    if wants_rows and wants_number:
        raise UsageError("WITHIN is for aggregates, RECALL and PRECISION are for rows: ask for one of the two")
    if wants_rows and has_aggregate:
        raise UsageError(
            "RECALL and PRECISION are for statements that give rows, and this one has an aggregate: ask WITHIN e%"
            " CONFIDENCE p% of it"
        )
    if wants_rows:
        return "selection"
    if (wants_number or _has_budget(target)) and not has_aggregate:
        raise UsageError(
            "WITHIN and BUDGET are for aggregates (COUNT, SUM, AVG, arithmetic of them), and this statement gives rows:"
            " ask RECALL r% or PRECISION q% CONFIDENCE p% of it, or SELECT count(*) of its rows"
        )
    if wants_number or _has_budget(target):
        return "aggregate"
    if target.proxy is not None:
        return "limit"
    raise UsageError("CONFIDENCE alone asks for nothing: add WITHIN e% to an aggregate, or RECALL r% to a selection")


def _has_budget(target: Target) -> bool:
    return target.budget_calls is not None or target.budget_s is not None


def _has_aggregate(tree: exp.Expr) -> bool:
    """Whether the outermost SELECT (or one of those that UNION puts together) aggregates."""
    from sqlglot import exp

    if isinstance(tree, exp.SetOperation):
        return _has_aggregate(tree.left) or _has_aggregate(tree.right)
    if isinstance(tree, exp.Subquery):
        return _has_aggregate(tree.this)
    if not isinstance(tree, exp.Select):
        return False
    found = (f for p in tree.expressions for f in p.find_all(exp.AggFunc) if not isinstance(f.parent, exp.Window))
    return tree.args.get("group") is not None or any(f.find_ancestor(exp.Select) is tree for f in found)
