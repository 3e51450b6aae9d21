"""One number for each unit, where a statement asks for many: what a proxy is learned from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.answer.unit_sample import Contributions
from suffice.sql.units.formula import Atom, Linear, Quantile, Quotient
from suffice.sql.units.unit_query import UnitQuery

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def first_total(query: UnitQuery, found: Contributions, units: Indices) -> Floats:
    """(k,) what each unit adds to the first number of the answer, over all groups."""
    linear = _added(query.formulas.atoms[0])
    rows = sum((factor * found.pieces[piece] for piece, factor in linear.factors.items()), np.zeros(found.units.size))
    return np.asarray(np.bincount(np.searchsorted(units, found.units), rows, units.size), dtype=np.float64)


def _added(atom: Atom) -> Linear:
    """What stands for an atom where one number a unit is wanted: of a ratio what is divided, else the rows."""
    if isinstance(atom, Linear | Quotient):
        return atom if isinstance(atom, Linear) else atom.top
    middle = len(atom.below) // 2 if isinstance(atom, Quantile) else 0
    return atom.below[middle] if isinstance(atom, Quantile) and atom.below else atom.rows
