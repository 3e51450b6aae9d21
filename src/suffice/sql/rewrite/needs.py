"""Which inputs each model call must see, as SQL over what is already known.

A *site* is one place in the merged tree where a call stands. Its need is ``SELECT DISTINCT arguments FROM <the
relations they come from, and those that filter them> WHERE <every predicate that is known>``: always enough, never
less, and smaller each time another call becomes known. Running a call adds its relation to what later needs can use,
so the order of the calls changes what they cost, never the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.sql.plan import ROWS_PREFIX, SCALAR_PREFIX, number_of
from suffice.sql.rewrite.guards import possible, relevance

if TYPE_CHECKING:
    from sqlglot import exp

VOLATILE = frozenset(
    {"random", "rand", "setseed", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "nextval", "currval", "txid_current"}
    | {"now", "today", "current_timestamp", "current_date", "current_time", "localtimestamp", "localtime"}
    | {"get_current_timestamp", "get_current_time", "transaction_timestamp"}
)

_INNER = "__inner"
"""What the rows of a correlated scope are called beside those of the scope around it."""


@dataclass(frozen=True)
class Site:
    """One place of a call. `arguments` are expressions of the scope; `filters` whether a predicate hangs on it."""

    number: int
    node: exp.Expr
    scope: exp.Select
    arguments: tuple[exp.Expr, ...]
    filters: bool


@dataclass(frozen=True)
class Need:
    """SQL with columns ``a0 … an``, and the predicates that spare inputs."""

    select: exp.Select
    guards: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """One relation of a FROM: its alias, lower case, and the join that adds it."""

    alias: str
    node: exp.Expr
    join: exp.Join | None

    @property
    def is_plain(self) -> bool:
        """Joined so that its conditions may be read as part of WHERE."""
        return self.join is None or not (self.join.side or self.is_filter or self.join.method)

    @property
    def is_filter(self) -> bool:
        """Adds no column, only takes rows away."""
        return self.join is not None and self.join.kind in ("SEMI", "ANTI")

    @property
    def on(self) -> exp.Expr | None:
        return self.join.args.get("on") if self.join else None


def find_sites(tree: exp.Expr) -> list[Site]:
    """Every place where a model is called, in the order they are written."""
    from sqlglot import exp

    sites = []
    for node in tree.walk(bfs=False):
        if isinstance(node, exp.Table) and (number := number_of(node.name, ROWS_PREFIX)) is not None:
            scope = _scope_of(node)
            sites.append(Site(number, node, scope, _row_arguments(scope, node), True))
        elif isinstance(node, exp.Anonymous) and (number := number_of(node.name, SCALAR_PREFIX)) is not None:
            sites.append(Site(number, node, _scope_of(node), tuple(node.expressions), _is_in_filter(node)))
    return sites


def _scope_of(node: exp.Expr) -> exp.Select:
    from sqlglot import exp

    scope = node.find_ancestor(exp.Select)
    assert scope is not None
    return scope


def _is_in_filter(node: exp.Expr) -> bool:
    from sqlglot import exp

    holder = node.find_ancestor(exp.Where, exp.Join, exp.Select)
    return isinstance(holder, exp.Join) or _is_where(holder)


def _is_where(node: exp.Expr | None) -> bool:
    """A WHERE that takes rows away; that of an aggregate's FILTER only keeps them from the aggregate."""
    from sqlglot import exp

    return isinstance(node, exp.Where) and not isinstance(node.parent, exp.Filter)


def _row_arguments(scope: exp.Select, table: exp.Table) -> tuple[exp.Expr, ...]:
    """The arguments of a call in FROM, read back from its conditions ``alias.__a0 = argument``."""
    from sqlglot import exp

    found = {}
    for condition in scope.find_all(exp.EQ):
        column = condition.this
        if condition.find_ancestor(exp.Select) is not scope:
            continue
        if isinstance(column, exp.Column) and column.table == table.alias and column.name.startswith("__a"):
            found[int(column.name[3:])] = condition.expression
    return tuple(found[i] for i in range(len(found)))


@dataclass(frozen=True)
class _Inner:
    """Rows of a correlated scope, and the columns in it that belong to scopes further out."""

    select: exp.Select
    outer: tuple[exp.Column, ...]

    def join_to(self, select: exp.Select) -> None:
        from sqlglot import exp

        alias = exp.TableAlias(this=exp.to_identifier(_INNER))
        body = exp.Subquery(this=self.select)
        if select.args.get("from_"):
            select.append("joins", exp.Join(this=exp.Lateral(this=body, alias=alias), kind="CROSS"))
        else:
            body.set("alias", alias)
            select.set("from_", exp.From(this=body))


class Needs:
    """Builds the need of a site, given which calls are known.

    With `guarded` False nothing is spared: every input the relations provide, as a system without sparse
    materialisation would run it. Tests compare answers against that, and work counts against it.
    """

    def __init__(self, known: frozenset[int], *, guarded: bool = True) -> None:
        self._known, self._guarded = known, guarded

    def of(self, site: Site, *, surviving: bool = False) -> Need | None:
        """The need, or None while the site's arguments hang on a call that is not known.

        With `surviving` and the call itself known: those whose rows the predicates on it leave.
        """
        from sqlglot import exp

        if self._is_grouped(site):
            return self._of_groups(site)
        if any(self.is_unknown(argument, site.scope) for argument in site.arguments):
            return None
        wanted = [exp.alias_(a.copy(), f"a{i}") for i, a in enumerate(site.arguments)]
        select = self._rows(site.scope, wanted, exp.Null() if surviving else site.node)
        if select is None:
            return None
        where = select.args.get("where")
        guards = tuple(part.sql("duckdb") for part in _conjuncts(where.this)) if where else ()
        return Need(select.distinct(copy=False), guards)

    def rows_that_matter(self, scope: exp.Select, wanted: Sequence[exp.Expr]) -> exp.Select | None:
        """``SELECT DISTINCT wanted`` over the rows of `scope` that can give a row of it, given what is known."""
        from sqlglot import exp

        select = self._rows(scope, wanted, exp.Null())
        return None if select is None else select.distinct(copy=False)

    # -- rows of a scope ------------------------------------------------------------------------------------

    def _rows(
        self, scope: exp.Select, wanted: Sequence[exp.Expr], node: exp.Expr, inner: _Inner | None = None
    ) -> exp.Select | None:
        """``SELECT wanted`` over as few rows of `scope` as is known to be enough for `node`, those of `inner` beside
        each."""
        from sqlglot import exp

        relations = relations_of(scope)
        names = {relation.alias for relation in relations}
        read = [*wanted, *(inner.outer if inner else ())]
        required = {table for expression in read for table in _tables(expression)} & names
        conditions = self._conditions(scope, relations, required, node)
        kept = self._kept(scope, relations, required, conditions)
        if any(self._is_unknown_relation(relation, scope) for relation in relations if relation.alias in required):
            return None
        conditions = [c for c in conditions if _tables(c) & names <= kept]
        select = exp.Select(expressions=list(wanted))
        for relation in relations:
            if relation.alias in kept:
                self._add(select, relation, scope, required)
        if inner is not None:
            inner.join_to(select)
        if conditions:
            select.where(*(c.copy() for c in conditions), copy=False)
        outer = [c for c in select.find_all(exp.Column) if c.table and not _own(c, select)]
        outer = [c for c in outer if c.table.lower() not in names]
        return self._in_outer(scope, _Inner(select, tuple(outer))) if outer else select

    def _conditions(
        self, scope: exp.Select, relations: list[Relation], required: set[str], node: exp.Expr
    ) -> list[exp.Expr]:
        """Known conditions that every row which matters to `node` meets."""
        from sqlglot import exp

        if not self._guarded or any(r.join and r.join.side in ("RIGHT", "FULL") for r in relations):
            return [c for c in self._plain_conjuncts(scope, relations) if _is_argument(c)]

        def unknown(expression: exp.Expr) -> bool:
            return self.is_unknown(expression, scope)

        conditions: list[exp.Expr | None] = []
        for conjunct in self._plain_conjuncts(scope, relations):
            if _contains(conjunct, node):
                conditions += relevance(conjunct, node, "true", unknown)
            else:
                conditions.append(possible(conjunct, "true", unknown))
        if (root := _own_root(scope, node)) is not None and not _has_grouping_sets(scope):
            found = relevance(root, node, "any", unknown)
            conditions += [c for c in found if c.find(exp.AggFunc, exp.Window) is None]
        return [condition for condition in conditions if condition is not None]

    def _plain_conjuncts(self, scope: exp.Select, relations: list[Relation]) -> list[exp.Expr]:
        where = scope.args.get("where")
        conjuncts = list(_conjuncts(where.this)) if where else []
        for relation in relations:
            if relation.is_plain and relation.on is not None:
                conjuncts += _conjuncts(relation.on)
        return conjuncts

    def _kept(
        self, scope: exp.Select, relations: list[Relation], required: set[str], conditions: list[exp.Expr]
    ) -> set[str]:
        """The relations that provide the arguments, and those connected to them by a known condition."""
        usable = {r.alias: r for r in relations if not self._is_unknown_relation(r, scope)}
        kept = set(required)
        while True:
            more: set[str] = set()
            for condition in conditions:
                tables = _tables(condition) & {r.alias for r in relations}
                if tables & kept and tables <= usable.keys() | kept:
                    more |= tables
            for alias in kept | more:
                if alias in usable:
                    more |= _dependencies(usable[alias]) & usable.keys()
            more |= {r.alias for r in usable.values() if r.is_filter and _dependencies(r) <= kept}
            if more <= kept:
                return kept
            kept |= more

    def _add(self, select: exp.Select, relation: Relation, scope: exp.Select, required: set[str]) -> None:
        from sqlglot import exp

        source = relation.node.copy()
        if source.args.get("joins"):
            source.set("joins", None)
        if not select.args.get("from_"):
            select.set("from_", exp.From(this=source))
            return
        keeps_on = not relation.is_plain and relation.on is not None and not self.is_unknown(relation.on, scope)
        if keeps_on:
            assert relation.join is not None
            select.append("joins", relation.join.copy())
        else:
            select.append("joins", exp.Join(this=source, kind="CROSS"))

    def _in_outer(self, scope: exp.Select, inner: _Inner) -> exp.Select | None:
        """A correlated scope: its rows beside those of the scope around it."""
        from sqlglot import exp

        around = scope.find_ancestor(exp.Select)
        if around is None or scope.parent is None:
            return inner.select
        columns = [projection.alias_or_name for projection in inner.select.expressions]
        return self._rows(around, [exp.alias_(exp.column(c, table=_INNER), c) for c in columns], scope, inner)

    # -- groups ---------------------------------------------------------------------------------------------

    def _is_grouped(self, site: Site) -> bool:
        from sqlglot import exp

        collected = (node for a in site.arguments for node in a.find_all(exp.AggFunc, exp.Window))
        return any(node.find_ancestor(exp.Select) is site.scope for node in collected)  # not in a subquery

    def _of_groups(self, site: Site) -> Need | None:
        """Arguments made of aggregates or windows: the scope itself, once all it reads is known."""
        from sqlglot import exp

        body = site.scope.copy()
        pieces = [body.args.get(key) for key in ("from_", "where", "group")] + list(body.args.get("joins") or [])
        if any(piece is not None and self.is_unknown(piece, site.scope) for piece in pieces):
            return None
        if any(self.is_unknown(argument, site.scope) for argument in site.arguments):
            return None
        group = body.args.get("group")
        if group is not None and group.args.get("all"):
            keys = [p.unalias().copy() for p in body.expressions if p.find(exp.AggFunc, exp.Window) is None]
            body.set("group", exp.Group(expressions=keys) if keys else None)
        having = body.args.get("having")
        if having is not None and self.is_unknown(having.this, site.scope):
            guard = possible(having.this, "true", lambda e: self.is_unknown(e, site.scope))
            body.set("having", exp.Having(this=guard) if guard is not None else None)
        for key in ("order", "limit", "offset", "distinct", "qualify"):
            body.set(key, None)
        wanted = [exp.alias_(a.copy(), f"a{i}") for i, a in enumerate(site.arguments)]
        body.set("expressions", wanted)
        return Need(body.distinct(copy=False), ())

    # -- what is known --------------------------------------------------------------------------------------

    def is_unknown(self, expression: exp.Expr, scope: exp.Select) -> bool:
        """Whether the value of `expression` hangs on a call that did not run, or changes from look to look."""
        from sqlglot import exp

        for node in expression.walk():
            if isinstance(node, exp.Table | exp.Anonymous) and self._is_unknown_call(node):
                return True
            if isinstance(node, exp.Func) and is_volatile(node):
                return True
            if isinstance(node, exp.Column) and (not node.table or self._is_unknown_column(node, scope)):
                return True
        return False

    def _is_unknown_call(self, node: exp.Expr) -> bool:
        number = number_of(node.name, ROWS_PREFIX)
        if number is None:
            number = number_of(node.name, SCALAR_PREFIX)
        return number is not None and number not in self._known

    def _is_unknown_column(self, column: exp.Column, scope: exp.Select) -> bool:
        from sqlglot import exp

        around: exp.Expr | None = column.find_ancestor(exp.Select) or scope
        while isinstance(around, exp.Select):
            for relation in relations_of(around):
                if relation.alias == column.table.lower():
                    return self._is_unknown_relation(relation, around)
            around = around.find_ancestor(exp.Select)
        return False

    def _is_unknown_relation(self, relation: Relation, scope: exp.Select) -> bool:
        from sqlglot import exp

        if any(self._is_unknown_call(node) for node in relation.node.find_all(exp.Table, exp.Anonymous)):
            return True
        if relation.is_plain or relation.on is None:
            return False
        return any(self._is_unknown_call(n) for n in relation.on.find_all(exp.Table, exp.Anonymous)) or any(
            is_volatile(n) for n in relation.on.find_all(exp.Func)
        )


def relations_of(scope: exp.Select) -> list[Relation]:
    """FROM and joins of a scope, in order."""
    source = scope.args.get("from_")
    found = [Relation(source.this.alias_or_name.lower(), source.this, None)] if source else []
    joins = scope.args.get("joins") or []
    return found + [Relation(join.this.alias_or_name.lower(), join.this, join) for join in joins]


def is_volatile(node: exp.Func) -> bool:
    """Whether two evaluations may differ."""
    from suffice.sql.bind import function_name

    return function_name(node) in VOLATILE


def _tables(expression: exp.Expr) -> set[str]:
    from sqlglot import exp

    return {column.table.lower() for column in expression.find_all(exp.Column) if column.table}


def _dependencies(relation: Relation) -> set[str]:
    """Aliases that a lateral relation, or the ON of an outer join, reads."""
    needed = _tables(relation.node)
    if not relation.is_plain and relation.on is not None:
        needed |= _tables(relation.on)
    return needed - {relation.alias}


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    from sqlglot import exp

    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _is_argument(condition: exp.Expr) -> bool:
    from sqlglot import exp

    return isinstance(condition, exp.EQ) and condition.this.name.startswith("__a")


def _contains(expression: exp.Expr, node: exp.Expr) -> bool:
    return any(one is node for one in expression.walk())


def _own_root(scope: exp.Select, node: exp.Expr) -> exp.Expr | None:
    """The top of the projection, HAVING, ORDER BY … that holds `node`; None when FROM, ON or WHERE holds it."""
    from sqlglot import exp

    current = node
    while current.parent is not None and current.parent is not scope:
        if isinstance(current, exp.From | exp.Join) or _is_where(current):
            return None
        current = current.parent
    return None if isinstance(current, exp.From | exp.Join | exp.Where) or current is node else current


def _has_grouping_sets(scope: exp.Select) -> bool:
    """A rolled-up row has NULL for a key that its rows do not: what holds of the group need not hold of them."""
    group = scope.args.get("group")
    return group is not None and any(group.args.get(key) for key in ("grouping_sets", "cube", "rollup"))


def _own(column: exp.Column, select: exp.Select) -> bool:
    """Whether a relation between the column and `select` provides it."""
    from sqlglot import exp

    around = column.find_ancestor(exp.Select)
    while around is not None:
        if column.table.lower() in {relation.alias for relation in relations_of(around)}:
            return True
        if around is select:
            return False
        around = around.find_ancestor(exp.Select)
    return False
