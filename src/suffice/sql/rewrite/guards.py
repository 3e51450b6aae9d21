"""What is known of a predicate while part of it is not: bounds of SQL's three-valued logic.

`possible(p, outcome)` is a condition over known columns that holds wherever `p` could still come out that way,
whatever the unknown parts are. `relevance` collects the conditions under which one node inside a predicate can
matter at all: in ``a AND m(x)``, only where ``a`` may hold; in ``a OR m(x)``, only where ``a`` does not; in
``CASE WHEN a THEN m(x) …``, only where ``a`` may hold. Both err on the side of running a model.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlglot import exp

IsUnknown = Callable[["exp.Expr"], bool]
Outcome = Literal["true", "false", "not true", "not false"]
Matters = Literal["true", "false", "any"]
"""Which outcome of a predicate can change the answer: of WHERE only whether it is true."""

_OPPOSITE: dict[Outcome, Outcome] = {"true": "false", "false": "true", "not true": "not false", "not false": "not true"}


def possible(predicate: exp.Expr, outcome: Outcome, unknown: IsUnknown) -> exp.Expr | None:
    """A known condition that holds wherever `predicate` can have `outcome`; None when it always can."""
    from sqlglot import exp

    if not unknown(predicate):
        return _known(predicate, outcome)
    match predicate:
        case exp.Paren():
            return possible(predicate.this, outcome, unknown)
        case exp.Not():
            return possible(predicate.this, _OPPOSITE[outcome], unknown)
        case exp.And() | exp.Or():
            parts = [possible(part, outcome, unknown) for part in (predicate.left, predicate.right)]
            all_needed = isinstance(predicate, exp.And) == (outcome in ("true", "not false"))
            return _all(parts) if all_needed else _any(parts)
    return None


def _known(predicate: exp.Expr, outcome: Outcome) -> exp.Expr:
    from sqlglot import exp

    wrapped = exp.paren(predicate.copy(), copy=False)
    if outcome == "true":
        return wrapped
    truth = exp.Boolean(this=outcome.endswith("true"))
    test = exp.Is(this=wrapped, expression=truth)
    return exp.Not(this=test) if outcome.startswith("not") else test


def _all(parts: list[exp.Expr | None]) -> exp.Expr | None:
    from sqlglot import exp

    known = [part for part in parts if part is not None]
    return exp.paren(exp.and_(*known, copy=False), copy=False) if known else None


def _any(parts: list[exp.Expr | None]) -> exp.Expr | None:
    from sqlglot import exp

    known = [part for part in parts if part is not None]
    return exp.paren(exp.or_(*known, copy=False), copy=False) if len(known) == len(parts) else None


def relevance(root: exp.Expr, node: exp.Expr, matters: Matters, unknown: IsUnknown) -> list[exp.Expr]:
    """Conditions under which `node`, somewhere inside `root`, can matter. `matters` says what of `root` does."""
    conditions: list[exp.Expr | None] = []
    path = _path(root, node)
    for parent, child in pairwise(path):
        if _collects_rows(parent):
            conditions.clear()
        found, matters = _step(parent, child, matters, unknown)
        conditions += found
    return [condition for condition in conditions if condition is not None]


def _collects_rows(node: exp.Expr) -> bool:
    """An aggregate or window reads rows other than the one it stands in: what guards it does not guard them."""
    from sqlglot import exp

    is_filtered = isinstance(node.parent, exp.Filter)
    return isinstance(node, exp.Window | exp.Filter) or (isinstance(node, exp.AggFunc) and not is_filtered)


def _path(root: exp.Expr, node: exp.Expr) -> list[exp.Expr]:
    path = [node]
    while path[-1] is not root:
        parent = path[-1].parent
        assert parent is not None
        path.append(parent)
    return path[::-1]


def _step(
    parent: exp.Expr, child: exp.Expr, matters: Matters, unknown: IsUnknown
) -> tuple[list[exp.Expr | None], Matters]:
    from sqlglot import exp

    match parent:
        case exp.Paren():
            return [], matters
        case exp.Not():
            flipped: dict[Matters, Matters] = {"true": "false", "false": "true", "any": "any"}
            return [], flipped[matters]
        case exp.And() | exp.Or():
            sibling = parent.right if parent.left is child else parent.left
            return [possible(sibling, _sibling_outcome(parent, matters), unknown)], matters
        case exp.Case():
            return _case_step(parent, child, unknown)
        case exp.If():
            return _if_step(parent, child, unknown)
        case exp.Coalesce():
            return _coalesce_step(parent, child, unknown), "any"
        case exp.Filter():
            where = parent.expression
            guard = possible(where.this, "true", unknown) if child is parent.this else None
            return [guard], "any"
        case exp.Where() | exp.Having() | exp.Qualify():
            return [], "true"
    return [], "any"


def _sibling_outcome(parent: exp.Expr, matters: Matters) -> Outcome:
    """What the sibling must still be able to be for the child to matter."""
    from sqlglot import exp

    if isinstance(parent, exp.And):
        return "true" if matters == "true" else "not false"
    return "false" if matters == "false" else "not true"


def _case_step(parent: exp.Case, child: exp.Expr, unknown: IsUnknown) -> tuple[list[exp.Expr | None], Matters]:
    """A branch is reached where no earlier condition held; its value matters where its own may hold."""
    if parent.this is not None:  # CASE x WHEN v …: the comparison is implicit, and its branches are all tried
        return [], "any"
    conditions: list[exp.Expr | None] = []
    for branch in parent.args.get("ifs") or []:
        if branch is child:
            return conditions, "any"
        conditions.append(possible(branch.this, "not true", unknown))
    return conditions, "any"


def _if_step(parent: exp.If, child: exp.Expr, unknown: IsUnknown) -> tuple[list[exp.Expr | None], Matters]:
    from sqlglot import exp

    if isinstance(parent.parent, exp.Case) and parent.parent.this is not None:
        return [], "any"
    if child is parent.this:
        return [], "true"
    taken: Outcome = "true" if child is parent.args.get("true") else "not true"
    return [possible(parent.this, taken, unknown)], "any"


def _coalesce_step(parent: exp.Coalesce, child: exp.Expr, unknown: IsUnknown) -> list[exp.Expr | None]:
    from sqlglot import exp

    conditions: list[exp.Expr | None] = []
    for one in [parent.this, *parent.expressions]:
        if one is child:
            break
        if not unknown(one):
            conditions.append(exp.Is(this=exp.paren(one.copy(), copy=False), expression=exp.Null()))
    return conditions
