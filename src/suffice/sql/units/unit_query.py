"""An aggregate statement as units: which relation is sampled, what each unit contributes, how the answer is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from suffice.sql.plan import MEDIA_PREFIX, number_of
from suffice.sql.rewrite.as_sql import need_sql
from suffice.sql.rewrite.needs import Needs, relations_of
from suffice.sql.sparse import SparsePlan
from suffice.sql.units.distinct_values import StoredValues, finite_values
from suffice.sql.units.formula import Constant, Formulas, Key, Node
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.thread_unit import UNIT, group_keys, resolve, thread_unit
from suffice.sql.units.value_range import Stored, ValueRange
from suffice.store.catalogue import MediaTable

if TYPE_CHECKING:
    from sqlglot import exp

Comparison = Literal["<", "<=", ">", ">=", "=", "<>"]


@dataclass(frozen=True)
class Having:
    """A condition on groups: AND and OR of comparisons of formulas."""

    operator: Comparison | Literal["and", "or", "not"]
    operands: tuple[Having | Node, ...]


@dataclass(frozen=True)
class UnitQuery:
    """What is needed to answer from some of the units.

    Attributes:
        relation: placeholder of the sampled media relation; `key` its column that tells units apart.
        tree: outermost SELECT of the merged statement, the unit's key threaded to it as `unit`.
        scope: the SELECT that reads the relation, which it calls `alias`.
        keys: expressions of GROUP BY; `outputs` the columns of the answer, in order.
        order: (column of the answer, descending) of ORDER BY.
    """

    plan: SparsePlan
    relation: str
    key: str
    alias: str
    tree: exp.Select
    scope: exp.Select
    unit: exp.Column
    keys: tuple[exp.Expr, ...]
    formulas: Formulas
    outputs: tuple[Node, ...]
    having: Having | None
    order: tuple[tuple[int, bool], ...]

    def contributions_sql(self, table: str) -> str:
        """``unit, k0…, p0…``: one row for each unit and group of the statement over the units in `table`."""
        from sqlglot import exp

        body = self.tree.copy()
        for part in ("having", "order", "limit", "offset", "distinct", "qualify", "group"):
            body.set(part, None)
        keys = [exp.alias_(key.copy(), f"k{i}") for i, key in enumerate(self.keys)]
        pieces = [
            exp.alias_(exp.maybe_parse(piece.sql, dialect="duckdb"), f"p{i}")
            for i, piece in enumerate(self.formulas.pieces)
        ]
        body.set("expressions", [exp.alias_(self.unit.copy(), UNIT), *keys, *pieces])
        body.set("group", exp.Group(expressions=[self.unit.copy(), *(key.copy() for key in self.keys)]))
        return need_sql(body, self.over(table).bound, self.plan.base_sql)

    def over(self, table: str) -> SparsePlan:
        """The plan of the statement over the units in `table` alone."""
        bound = self.plan.bound
        media = replace(bound.media[self.relation], table=table, version=None)
        return replace(self.plan, bound=replace(bound, media={**bound.media, self.relation: media}))

    def population_sql(self) -> str:
        """``__unit``: the units that can matter, given every predicate that needs no model."""
        from sqlglot import exp

        wanted = exp.alias_(exp.column(self.key, table=self.alias), UNIT)
        select = Needs(frozenset()).rows_that_matter(self.scope, [wanted])
        assert select is not None
        return need_sql(select, self.plan.bound, self.plan.base_sql)

    def labels_sql(self) -> str | None:
        """``__unit, k0…``: the group of every unit, when it is known without a model; None when it is not."""
        if not self.keys or self.scope is not self.tree:
            return None
        from sqlglot import exp

        columns = [column for key in self.keys for column in key.find_all(exp.Column)]
        if any(column.table.lower() != self.alias.lower() for column in columns) or not all(
            key.find(exp.Anonymous, exp.Subquery) is None for key in self.keys
        ):
            return None
        body = exp.Select(expressions=[exp.alias_(exp.column(self.key, table=self.alias), UNIT)])
        body.set("expressions", [*body.expressions, *(exp.alias_(k.copy(), f"k{i}") for i, k in enumerate(self.keys))])
        source = next(r.node for r in relations_of(self.scope) if r.alias == self.alias.lower()).copy()
        source.set("joins", None)
        body.set("from_", exp.From(this=source))
        return need_sql(body.distinct(copy=False), self.plan.bound, self.plan.base_sql)


@dataclass(frozen=True)
class Looks:
    """What taking a statement apart asks of the database."""

    stored: Stored
    rows: Callable[[str, str | None], float]
    is_key: Callable[[str, Sequence[str], str], bool]
    values: StoredValues = lambda relation, column: None
    grids: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def unit_query(plan: SparsePlan, looks: Looks) -> UnitQuery:
    """The statement as units of its best relation.

    Raises:
        NoBoundError: it cannot be answered from a sample; the message is the reason.
    """
    from sqlglot import exp

    if not isinstance(plan.tree, exp.Select):
        raise NoBoundError("a set operation has no bound from a sample")
    relations = candidates(plan)
    if not relations:
        raise NoBoundError("the models hang on no media or table that could be sampled")
    reasons = []
    for relation in relations:
        try:
            return _over(plan, relation, looks)
        except NoBoundError as error:
            reasons.append(error)
    raise reasons[0]


def candidates(plan: SparsePlan) -> list[str]:
    """Media relations that calls read, those that most calls read first."""
    from sqlglot import exp

    names = {table.alias_or_name.lower(): table.name.lower() for table in plan.tree.find_all(exp.Table)}
    votes: dict[str, int] = {}
    for site in plan.sites:
        for column in (c for argument in site.arguments for c in argument.find_all(exp.Column)):
            name = names.get(column.table.lower(), "")
            if number_of(name, MEDIA_PREFIX) is not None:
                votes[name] = votes.get(name, 0) + 1
    others = [name for name in names.values() if number_of(name, MEDIA_PREFIX) is not None and name not in votes]
    return [*sorted(votes, key=lambda name: -votes[name]), *others]


def key_of(media: MediaTable) -> str:
    """The column that tells units of a relation apart."""
    return "blob_id" if "blob_id" in media.columns else UNIT + "_number"


def empty_formulas(plan: SparsePlan, tree: exp.Select, looks: Looks, relation: str, key: str) -> Formulas:
    """What reads the expressions of `tree`, the outermost SELECT, when `relation` is sampled."""
    from sqlglot import exp

    media = plan.bound.media[relation]

    def is_key(columns: Sequence[str]) -> bool:
        return key in columns or looks.is_key(media.table, columns, key)

    def is_unit_key(columns: Sequence[exp.Expr], scope: exp.Select) -> bool:
        names = [resolve(c, scope, relation) for c in columns if isinstance(c, exp.Column)]
        found = [name for name in names if name is not None]
        return len(found) == len(columns) and is_key(found)

    def is_one_row(body: exp.Select) -> bool:
        group = body.args.get("group")
        keys = group_keys(body) if group is not None else []
        columns = [key for key in keys if isinstance(key, exp.Column)]
        return bool(keys) and len(columns) == len(keys) and is_unit_key(columns, body)

    def rows(name: str) -> float:
        return looks.rows(name, key if name == relation else None)

    def has_all_units() -> bool:
        """Every unit has a row when nothing filters and all else is joined from the left."""
        relations = relations_of(tree)
        is_first = isinstance(relations[0].node, exp.Table) and relations[0].node.name.lower() == relation
        is_kept = all(r.join is not None and r.join.side == "LEFT" for r in relations[1:])
        return is_first and is_kept and not tree.args.get("where") and not tree.args.get("group")

    ranges = ValueRange(plan.bound.calls, looks.stored, rows, is_one_row)
    keys = tuple(each.copy() for each in group_keys(tree))

    def finite(node: exp.Expr, scope: exp.Select) -> Sequence[object] | None:
        return finite_values(node, scope, ranges, looks.values)

    return Formulas(tree, keys, ranges, ranges.rows_of_unit(tree), is_unit_key, has_all_units(), finite, looks.grids)


def _over(plan: SparsePlan, relation: str, looks: Looks) -> UnitQuery:
    from sqlglot import exp

    media = plan.bound.media[relation]
    key = key_of(media)
    if key not in media.columns:
        raise NoBoundError(f"{media.function} has no column that tells its rows apart")
    tree = plan.tree.copy()
    assert isinstance(tree, exp.Select)
    table = next(t for t in tree.find_all(exp.Table) if t.name.lower() == relation)
    scope = table.find_ancestor(exp.Select)
    assert scope is not None
    keys = tuple(each.copy() for each in group_keys(tree))
    unit = thread_unit(tree, relation, key, lambda names: key in names or looks.is_key(media.table, names, key))
    formulas = empty_formulas(plan, tree, looks, relation, key)
    _refuse_shapes(tree)
    outputs = tuple(formulas.read(projection.unalias()) for projection in tree.expressions)
    having = _having(tree.args["having"].this, formulas) if tree.args.get("having") else None
    query = UnitQuery(
        plan, relation, key, table.alias_or_name, tree, scope, unit, keys, formulas, outputs, having, _order(tree)
    )
    if not formulas.atoms:
        raise NoBoundError("the statement has no aggregate over what the models give")
    return query


def _refuse_shapes(tree: exp.Select) -> None:
    from sqlglot import exp

    if any(p.find(exp.Window) for p in tree.expressions) or tree.args.get("qualify"):
        raise NoBoundError("a window over the groups of the answer has no bound from a sample")
    if tree.args.get("group") and (tree.args.get("limit") or tree.args.get("offset") or tree.args.get("distinct")):
        raise NoBoundError("which groups come first cannot be told from a sample when they are close")


def _order(tree: exp.Select) -> tuple[tuple[int, bool], ...]:
    order = tree.args.get("order")
    if order is None:
        return ()
    names = [p.alias_or_name.lower() for p in tree.expressions]
    values = [p.unalias() for p in tree.expressions]
    terms = []
    for term in order.expressions:
        column = term.this
        if column in values:
            position = values.index(column)
        elif column.name.lower() in names and not getattr(column, "table", ""):
            position = names.index(column.name.lower())
        elif column.is_int:
            position = int(column.name) - 1
        else:
            raise NoBoundError("ORDER BY something that is not a column of the answer")
        terms.append((position, bool(term.args.get("desc"))))
    return tuple(terms)


def _having(node: exp.Expr, formulas: Formulas) -> Having:
    from sqlglot import exp

    comparisons: Mapping[type[exp.Expr], Comparison] = {
        exp.LT: "<",
        exp.LTE: "<=",
        exp.GT: ">",
        exp.GTE: ">=",
        exp.EQ: "=",
        exp.NEQ: "<>",
    }
    match node:
        case exp.Paren():
            return _having(node.this, formulas)
        case exp.Not():
            return Having("not", (_having(node.this, formulas),))
        case exp.And() | exp.Or():
            operator: Literal["and", "or"] = "and" if isinstance(node, exp.And) else "or"
            return Having(operator, (_having(node.left, formulas), _having(node.right, formulas)))
    if type(node) not in comparisons:
        raise NoBoundError(f"HAVING {node.sql('duckdb')} has no bound from a sample")
    sides = tuple(formulas.read(side) for side in (node.this, node.expression))
    if any(isinstance(side, Key) for side in sides) or all(isinstance(side, Constant) for side in sides):
        raise NoBoundError("HAVING on a column of GROUP BY: put that into WHERE")
    return Having(comparisons[type(node)], sides)
