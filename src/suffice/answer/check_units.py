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
from suffice.answer.evaluate import atoms_in, is_key, plain_value, value_ends
from suffice.answer.unit_sample import CHOSEN, Contributions
from suffice.estimate.bounded_quantile import RANKS
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.units.formula import Atom, Distinct, Extreme, Linear, Node, Quantile
from suffice.sql.units.unit_query import UnitQuery

FAR = 1e300
"""Where no threshold bounds a quantile."""


def agrees(engine: Engine, query: UnitQuery, found: Contributions) -> bool:
    """Compare over the units last chosen."""
    bound = query.over(CHOSEN).bound
    tree = bound.tree.copy()
    for part in ("having", "order", "limit", "offset"):
        tree.set(part, None)
    rough = [any(isinstance(query.formulas.atoms[n], Quantile) for n in atoms_in(node)) for node in query.outputs]
    said = [list(map(_plain, row)) for row in engine.database.rows(answer_sql(replace(bound, tree=tree)))]
    ours = _composed(query, found)
    if len(said) != len(ours):
        return False
    said.sort(key=lambda row: _sortable(row, rough))
    ours.sort(key=lambda row: _sortable([_end(value) for value in row], rough))
    return all(_same(a, b) for one, other in zip(said, ours, strict=True) for a, b in zip(one, other, strict=True))


def _composed(query: UnitQuery, found: Contributions) -> list[list[Any]]:
    """Rows of the answer: a text for a column of GROUP BY, (low, high) for a number."""
    totals: dict[tuple[Any, ...], Any] = {}
    if not query.keys and not found.groups:
        totals[()] = np.zeros(len(query.formulas.pieces))
    for k, group in enumerate(found.groups):
        totals[group] = _folded(query, totals[group], found.pieces[:, k]) if group in totals else found.pieces[:, k]
    return [[_shown(query, node, group, pieces) for node in query.outputs] for group, pieces in totals.items()]


def _folded(query: UnitQuery, a: Any, b: Any) -> Any:
    folds = {"sum": np.add, "max": np.maximum, "min": np.minimum}
    return np.array([folds[piece.fold](x, y) for piece, x, y in zip(query.formulas.pieces, a, b, strict=True)])


def _shown(query: UnitQuery, node: Node, group: tuple[Any, ...], pieces: Any) -> Any:
    if is_key(node):
        value = _plain(plain_value(node, [], group))
        return value if isinstance(value, str) else (value, value)
    return tuple(map(_plain, value_ends(node, [_atom_ends(atom, pieces) for atom in query.formulas.atoms])))


def _atom_ends(atom: Atom, pieces: Any) -> tuple[float, float]:
    if isinstance(atom, Quantile):
        return _quantile_ends(atom, pieces)
    if isinstance(atom, Extreme):
        value = float(pieces[atom.piece]) if _linear(atom.rows, pieces) else math.nan
    elif isinstance(atom, Distinct):
        value = float(sum(_linear(rows, pieces) > 0 for rows in atom.values))
    elif isinstance(atom, Linear):
        value = _linear(atom, pieces)
    else:
        bottom = _linear(atom.bottom, pieces)
        value = _linear(atom.top, pieces) / bottom if bottom else math.nan
    return value, value


def _quantile_ends(atom: Quantile, pieces: Any) -> tuple[float, float]:
    """Thresholds with too few rows below, and with enough up to them."""
    rank = atom.share * _linear(atom.rows, pieces)
    below = [t for t, n in zip(atom.thresholds, atom.below, strict=True) if _linear(n, pieces) <= rank - RANKS]
    upto = [t for t, n in zip(atom.thresholds, atom.upto, strict=True) if _linear(n, pieces) >= rank + RANKS]
    return max(below, default=-FAR), min(upto, default=FAR)


def _linear(linear: Linear, pieces: Any) -> float:
    return linear.constant + sum(factor * float(pieces[piece]) for piece, factor in linear.factors.items())


def _plain(value: Any) -> Any:
    """Numbers as floats, with nothing for NULL and for what is no number (both mean: no row)."""
    if value is None or isinstance(value, bool | str):
        return 0.0 if value is None else str(value)
    if not hasattr(value, "__float__"):
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else 0.0


def _end(value: Any) -> Any:
    return value if isinstance(value, str) else value[0]


def _sortable(row: list[Any], rough: list[bool]) -> tuple[str, ...]:
    """Exact columns alone tell rows apart."""
    return tuple(
        "" if is_rough else value if isinstance(value, str) else f"{value:.4e}"
        for value, is_rough in zip(row, rough, strict=True)
    )


def _same(said: Any, ours: Any) -> bool:
    if isinstance(said, str) or isinstance(ours, str):
        return bool(said == ours)
    slack = 1e-9 + 1e-6 * abs(said)
    return bool(ours[0] - slack <= said <= ours[1] + slack)
