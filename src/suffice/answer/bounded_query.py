"""An aggregate statement as units, with every number of it bounded."""

from __future__ import annotations

from suffice.answer.engine import Engine
from suffice.answer.panel import are_bounded
from suffice.answer.thresholds import with_thresholds
from suffice.answer.unit_looks import unit_looks
from suffice.answer.work import Work
from suffice.sql.sparse import SparsePlan
from suffice.sql.target import Target
from suffice.sql.units.formula import Distinct, Extreme, Quantile
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.unit_query import UnitQuery


def bounded_query(engine: Engine, plan: SparsePlan, target: Target, seed: int, work: Work) -> tuple[UnitQuery, int]:
    """The statement as units, and how many had to be asked to take it apart.

    Raises:
        NoBoundError: it cannot be answered from a sample; the message is the reason.
    """
    query, pilot = with_thresholds(engine, plan, unit_looks(engine, plan.bound), target, seed, work)
    formulas = query.formulas
    is_ranked = any(isinstance(atom, Quantile | Extreme | Distinct) for atom in formulas.atoms)
    if is_ranked and not are_bounded(formulas.atoms, formulas.pieces):
        raise NoBoundError("beside a quantile, MIN, MAX or COUNT(DISTINCT) every other number needs a declared range")
    return query, pilot
