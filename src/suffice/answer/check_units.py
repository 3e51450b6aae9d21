"""Whether what units contribute adds up to what the statement itself says of them.

Taking a statement apart is analysis, and DuckDB's own answer over the same units is the judge: where the two differ,
no sample is taken.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from suffice.answer.engine import Engine
from suffice.answer.evaluate import plain_value
from suffice.answer.unit_sample import CHOSEN, Contributions
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.units.formula import Atom, Linear
from suffice.sql.units.unit_query import UnitQuery


def agrees(engine: Engine, query: UnitQuery, found: Contributions) -> bool:
    """Compare over the units last chosen."""
    bound = query.over(CHOSEN).bound
    tree = bound.tree.copy()
    for part in ("having", "order", "limit", "offset"):
        tree.set(part, None)
    said = [tuple(map(_plain, row)) for row in engine.database.rows(answer_sql(replace(bound, tree=tree)))]
    ours = [tuple(map(_plain, row)) for row in _composed(query, found)]
    if len(said) != len(ours):
        return False
    pairs = zip(sorted(said, key=_sortable), sorted(ours, key=_sortable), strict=True)
    return all(_same(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def _composed(query: UnitQuery, found: Contributions) -> list[tuple[Any, ...]]:
    totals: dict[tuple[Any, ...], Any] = {} if query.keys else {(): np.zeros(len(query.formulas.pieces))}
    for k, group in enumerate(found.groups):
        totals[group] = totals.get(group, 0.0) + found.pieces[:, k]
    return [
        tuple(
            plain_value(node, [_atom(atom, pieces) for atom in query.formulas.atoms], group) for node in query.outputs
        )
        for group, pieces in totals.items()
    ]


def _atom(atom: Atom, pieces: Any) -> float:
    if isinstance(atom, Linear):
        return atom.constant + sum(factor * float(pieces[piece]) for piece, factor in atom.factors.items())
    top, bottom = _atom(atom.top, pieces), _atom(atom.bottom, pieces)
    return top / bottom if bottom else math.nan


def _plain(value: Any) -> Any:
    """Numbers as floats, with nothing for NULL and for what is no number (both mean: no row)."""
    if value is None or isinstance(value, bool | str):
        return 0.0 if value is None else str(value)
    if not hasattr(value, "__float__"):
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else 0.0


def _sortable(row: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(value if isinstance(value, str) else f"{value:.4e}" for value in row)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
