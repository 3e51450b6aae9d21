"""A statement that gives rows, as units: which units have a row, and which of its columns need no model."""

from __future__ import annotations

from suffice.sql.plan import ROWS_PREFIX, SCALAR_PREFIX, number_of
from suffice.sql.rewrite.as_sql import need_sql
from suffice.sql.rewrite.needs import Needs
from suffice.sql.sparse import SparsePlan
from suffice.sql.units.formula import AtomNode, Linear, Piece
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.thread_unit import UNIT, thread_unit
from suffice.sql.units.unit_query import Looks, UnitQuery, candidates, empty_formulas, key_of

BLOCKING = ("group", "having", "qualify", "windows", "offset", "distinct", "sample")


def selection_query(plan: SparsePlan, looks: Looks) -> UnitQuery:
    """The statement as units, each with the number of its rows as its one piece.

    Raises:
        NoBoundError: rows cannot be told apart by unit; the message is the reason.
    """
    from sqlglot import exp

    if not isinstance(plan.tree, exp.Select):
        raise NoBoundError("a set operation")
    for part in BLOCKING:
        if plan.tree.args.get(part):
            raise NoBoundError(f"{part.upper()} in the outermost SELECT")
    if any(p.find(exp.AggFunc, exp.Window) for p in plan.tree.expressions):
        raise NoBoundError("an aggregate in the outermost SELECT")
    reasons = [NoBoundError("the models hang on no media or table")]
    for relation in candidates(plan):
        try:
            return _over(plan, relation, looks)
        except NoBoundError as error:
            reasons.append(error)
    raise reasons[-1]


def _over(plan: SparsePlan, relation: str, looks: Looks) -> UnitQuery:
    from sqlglot import exp

    media, tree = plan.bound.media[relation], plan.tree.copy()
    assert isinstance(tree, exp.Select)
    key = key_of(media)
    table = next(t for t in tree.find_all(exp.Table) if t.name.lower() == relation)
    scope = table.find_ancestor(exp.Select)
    assert scope is not None
    unit = thread_unit(tree, relation, key, lambda names: key in names or looks.is_key(media.table, names, key))
    formulas = empty_formulas(plan, tree, looks, relation, key)
    formulas.pieces.append(Piece("count(*)::DOUBLE", 0.0, float("inf"), True))
    formulas.atoms.append(Linear({0: 1.0}))
    return UnitQuery(
        plan, relation, key, table.alias_or_name, tree, scope, unit, (), formulas, (AtomNode(0),), None, ()
    )  # fmt: skip


def rows_are_made_by_models(query: UnitQuery) -> bool:
    """Whether the rows of a unit, once it is known to belong in, still need a model."""
    from sqlglot import exp

    if query.scope is not query.tree:
        return True
    projected = [node for p in query.tree.expressions for node in p.find_all(exp.Anonymous, exp.Table)]
    joined = [join.this for join in query.tree.args.get("joins") or []]
    nodes = [*projected, *(n for j in joined for n in j.find_all(exp.Anonymous, exp.Table))]
    return any(number_of(n.name, prefix) is not None for n in nodes for prefix in (ROWS_PREFIX, SCALAR_PREFIX))


def rows_without_models_sql(query: UnitQuery, table: str) -> str:
    """The rows of the units in `table` as if every predicate that needs a model held."""
    needs = Needs(frozenset())
    wanted = [projection.copy() for projection in query.tree.expressions]
    select = needs.rows_that_matter(query.tree, wanted)
    assert select is not None
    select.set("distinct", None)
    over = query.over(table)
    return need_sql(select, over.bound, over.base_sql)


def unit_rows_sql(query: UnitQuery, table: str) -> str:
    """``__unit`` beside the columns of the statement, over the units in `table`."""
    from sqlglot import exp

    body = query.tree.copy()
    for part in ("order", "limit"):
        body.set(part, None)
    body.append("expressions", exp.alias_(query.unit.copy(), UNIT))
    over = query.over(table)
    return need_sql(body, over.bound, over.base_sql)
