"""Every call in FROM reads as a join: ``detect(f.image) o`` is the relation of all inputs and their rows.

``FROM frames f, detect(f.image) o`` becomes ``FROM __media_1 f JOIN __rows_3 o ON o.__a0 = f.image``: a relation
that is known only where the model ran. After that the query is plain relational algebra, and sqlglot can qualify it.
Tables of the user become placeholders ``__base_n`` so that names with catalogs, quotes or functions do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from suffice.sql.plan import BASE_PREFIX, MEDIA_PREFIX, ROWS_PREFIX, Bound, number_of

if TYPE_CHECKING:
    from sqlglot import exp

Describe = Callable[[str], Mapping[str, str]]
"""SQL of a relation -> its columns and their types; empty when DuckDB cannot say."""


@dataclass(frozen=True)
class Relational:
    """The analysis form: a qualified tree, and the SQL each ``__base_n`` stands for."""

    tree: exp.Expr
    base_sql: Mapping[str, str]


@dataclass
class _Schema:
    bound: Bound
    describe: Describe
    columns: dict[str, Mapping[str, str]] = field(default_factory=dict)
    base_sql: dict[str, str] = field(default_factory=dict)

    def base(self, sql: str) -> str:
        """The placeholder of a user's relation."""
        for name, known in self.base_sql.items():
            if known == sql:
                return name
        name = f"{BASE_PREFIX}{len(self.base_sql) + 1}"
        self.base_sql[name] = sql
        self.columns[name] = self.describe(sql)
        return name


def as_relations(tree: exp.Expr, bound: Bound, describe: Describe) -> Relational:
    """Rewrite one query (a SELECT or a set operation of them) and qualify its columns."""
    from sqlglot import exp
    from sqlglot.optimizer.qualify import qualify

    schema = _Schema(bound, describe)
    for name, media in bound.media.items():
        schema.columns[name] = dict.fromkeys(media.columns, "VARCHAR")
    for number, call in bound.calls.items():
        outputs = {column.name.lower(): "VARCHAR" for column in call.model.signature.outputs}
        schema.columns[f"{ROWS_PREFIX}{number}"] = outputs
    tables = list(tree.find_all(exp.Table))
    calls = [table for table in tables if isinstance(table.this, exp.Anonymous)]
    for table in [*(table for table in tables if table not in calls), *reversed(calls)]:  # arguments before their call
        _relation(table, schema)
    for select in tree.find_all(exp.Select):
        _commas_as_joins(select)
    tree = qualify(
        tree,
        schema={name: dict(columns) for name, columns in schema.columns.items() if columns},
        dialect="duckdb",
        allow_partial_qualification=True,
        validate_qualify_columns=False,
        identify=False,
        quote_identifiers=False,
    )
    return Relational(tree, schema.base_sql)


def _relation(table: exp.Table, schema: _Schema) -> None:
    from sqlglot import exp

    if number_of(table.name, MEDIA_PREFIX) is not None:
        return
    if isinstance(table.this, exp.Anonymous) and number_of(table.this.name, ROWS_PREFIX) is not None:
        _call_as_join(table)
    elif not any(table.this.find_all(exp.Column)):
        _placeholder(table, schema)


def _placeholder(table: exp.Table, schema: _Schema) -> None:
    from sqlglot import exp

    bare = table.copy()
    for key in ("alias", "joins", "laterals", "sample"):
        bare.set(key, None)
    default = table.name or (table.this.name if isinstance(table.this, exp.Func) else "t")
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(default))
    name = schema.base(bare.sql("duckdb"))
    for key in ("db", "catalog", "sample"):
        table.set(key, None)
    table.set("this", exp.to_identifier(name))
    table.set("alias", alias)


def _call_as_join(table: exp.Table) -> None:
    """Turn the call's arguments into conditions ``alias.__a0 = argument`` beside the relation."""
    from sqlglot import exp

    call = table.this
    conditions = [
        exp.EQ(this=exp.column(f"__a{i}", table=table.alias), expression=argument.copy())
        for i, argument in enumerate(call.expressions)
    ]
    table.set("this", exp.to_identifier(call.name))
    if not conditions:
        return
    where = exp.and_(*conditions, copy=False)
    join = table.parent
    if isinstance(join, exp.Join) and join.args.get("on") is not None:
        join.set("on", exp.and_(where, join.args["on"], copy=False))
    elif isinstance(join, exp.Join) and join.side:
        join.set("on", where)
    else:
        scope = table.find_ancestor(exp.Select)
        assert scope is not None
        scope.where(where, copy=False)


def _commas_as_joins(select: exp.Select) -> None:
    """``a, b LEFT JOIN c ON c.x = a.y`` is ``a CROSS JOIN b LEFT JOIN c ON …``, which DuckDB can run everywhere."""
    joins = select.args.get("joins") or []
    if any(join.side not in ("", "LEFT") or join.kind not in ("", "INNER", "CROSS", "OUTER") for join in joins):
        return
    for join in joins:
        if not (join.side or join.kind or join.method or join.args.get("on") or join.args.get("using")):
            join.set("kind", "CROSS")
