"""``TRUTH table``: what people say of some units, so that the interval is round the truth and not round the model.

The total of the truth is the model's total plus that of (truth - model), which the labelled units are a sample of; both
are bounded, each with half of delta. Source: prediction-powered inference (Angelopoulos et al., Science 2023), with a
betting bound in place of the normal one: :mod:`suffice.estimate.bounded_mean`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.answer.engine import Engine
from suffice.answer.panel import linear_ends, simplified
from suffice.answer.unit_sample import Contributions, UnitSample
from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_mean import BoundedMean
from suffice.sql.units.formula import AtomNode, Linear
from suffice.sql.units.unit_query import UnitQuery
from suffice.store.database import quote

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Ends = tuple[float, float]

LABELS_MIN = 10


@dataclass(frozen=True)
class Truth:
    """`units` (k,) that people looked at, in random order, and what each truly adds to every atom (A, k)."""

    table: str
    units: Indices
    values: Floats


def read_truth(
    engine: Engine, query: UnitQuery, table: str, names: tuple[str, ...], sample: UnitSample, rng: np.random.Generator
) -> Truth:
    """The labels in `table`: columns of the media or table that is sampled say which unit, the columns of the answer
    (`names`) what that unit truly adds to them.

    Raises:
        UsageError: the statement is no sum over units, a column is missing, or there are too few labels.
    """
    media = query.plan.bound.media[query.relation]
    if query.keys or query.having or not all(isinstance(node, AtomNode) for node in query.outputs):
        raise UsageError("TRUTH is for totals and means of units without GROUP BY, such as SELECT count(*) AS n")
    if not all(isinstance(atom, Linear) for atom in linear_atoms(query, sample.size)):
        raise UsageError("TRUTH is for totals and means of units: AVG over rows has no part that one unit adds")
    columns = list(engine.describe(table))
    if not columns:
        raise UsageError(f"TRUTH {table}: there is no such table")
    keys = [name for name in columns if name in media.columns and name not in names]
    missing = [name for name in names if name.lower() not in columns]
    if missing or not keys:
        said = f"a column {missing[0]!r} of the answer" if missing else f"a column of {media.function} to tell units by"
        raise UsageError(f"TRUTH {table}: it has no {said}; it has {', '.join(columns)}")
    same = " AND ".join(f"m.{quote(key)} = t.{quote(key)}" for key in keys)
    said_sql = ", ".join(f"t.{quote(name)}::DOUBLE" for name in names)
    rows = engine.database.rows(
        f"SELECT DISTINCT m.{query.key}, {said_sql} FROM {media.table} m JOIN {table} t ON {same}"
    )
    known = {int(str(row[0])): [float(str(value)) for value in row[1:]] for row in rows if None not in row}
    units = np.flatnonzero(np.isin(sample.keys, list(known)))
    if len(known) < len(rows) or units.size < LABELS_MIN:
        wrong = "some unit has two labels or none" if len(known) < len(rows) else f"it labels {units.size} units"
        raise UsageError(
            f"TRUTH {table}: {wrong}; one label a unit and at least {LABELS_MIN} are needed, of units drawn at random"
        )
    order = rng.permutation(units)
    outputs = [node.number for node in query.outputs if isinstance(node, AtomNode)]
    values = np.zeros((len(query.formulas.atoms), order.size))
    values[outputs] = np.array([known[int(sample.keys[unit])] for unit in order]).T
    return Truth(table, order, values)


def linear_atoms(query: UnitQuery, size: int) -> list[object]:
    """The atoms, means of units as totals."""
    return [simplified(atom, query.formulas.pieces, size) for atom in query.formulas.atoms]


def corrections(query: UnitQuery, truth: Truth, found: Contributions, size: int, delta: float) -> list[Ends]:
    """For each atom an interval of the total of (truth - model) over all units; all hold with probability 1 - `delta`.

    Raises:
        UsageError: a label lies outside the range that the model declares.
    """
    atoms = [atom for atom in linear_atoms(query, size) if isinstance(atom, Linear)]
    place = {int(unit): at for at, unit in enumerate(truth.units)}
    ends = []
    for number, atom in enumerate(atoms):
        scale = 1.0 if isinstance(query.formulas.atoms[number], Linear) else 1 / size
        low, high = linear_ends(atom, query.formulas.pieces)
        said = np.zeros(truth.units.size)
        for unit, pieces in zip(found.units.tolist(), found.pieces.T, strict=True):
            if unit in place:
                said[place[unit]] += sum(factor * pieces[piece] for piece, factor in atom.factors.items())
        true = scale * truth.values[number]
        if (true < low - 1e-9).any() or (true > high + 1e-9).any():
            raise UsageError(
                f"TRUTH {truth.table}: a label says {truth.values[number].max():g}, beyond the"
                f" {high / scale:g} that the model declares for a unit"
            )
        mean = BoundedMean(size, low - high, high - low, 1 - delta / len(atoms), Aim(horizon=truth.units.size))
        mean.observe(np.clip(true - said, low - high, high - low))
        least, most = mean.bounds()
        ends.append((size * least, size * most))
    return ends
