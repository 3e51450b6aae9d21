"""Names to things: views of media or models are expanded, media functions become tables, model calls are numbered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError
from suffice.sql.plan import MEDIA_PREFIX, ROWS_PREFIX, SCALAR_PREFIX, Bound, BoundCall
from suffice.sql.rewrite.free_outer_on import free_outer_on
from suffice.sql.statement import constant, named_options, parse_one
from suffice.store.catalogue import MEDIA

if TYPE_CHECKING:
    from sqlglot import exp

    from suffice.models.registry import Registry
    from suffice.store.catalogue import MediaTable
    from suffice.store.results import ResultStore

MAX_VIEW_DEPTH = 64

SystemTable = Callable[[str], "MediaTable | None"]
"""Name -> a table about suffice itself, if it is one."""

SyncMedia = Callable[[str, str, Mapping[str, Any]], "MediaTable"]
"""function, pattern, options -> the table with its rows."""


def bind(
    tree: exp.Expr,
    registry: Registry,
    results: ResultStore,
    views: Mapping[str, str],
    sync: SyncMedia,
    system: SystemTable,
) -> Bound:
    """Bind a parsed statement, which is taken over and changed.

    Raises:
        UsageError: a call cannot be what it says.
    """
    return _Binder(registry, results, views, sync, system).bind(tree)


class _Binder:
    def __init__(
        self,
        registry: Registry,
        results: ResultStore,
        views: Mapping[str, str],
        sync: SyncMedia,
        system: SystemTable,
    ) -> None:
        self._registry, self._results, self._views = registry, results, views
        self._sync, self._system = sync, system
        self._calls: dict[int, BoundCall] = {}
        self._media: dict[str, MediaTable] = {}

    def bind(self, tree: exp.Expr) -> Bound:
        tree = self._expand_views(tree, 0)
        self._name_columns(tree)
        self._bind_system(tree)
        self._bind_tables(tree)
        self._bind_scalars(tree)
        return Bound(free_outer_on(tree), self._calls, self._media)

    def _name_columns(self, tree: exp.Expr) -> None:
        """A column with a call in it is named by what was written, not by what stands there in the end."""
        from sqlglot import exp

        for select in tree.find_all(exp.Select):
            for column in select.expressions:
                calls = (function_name(node) for node in column.find_all(exp.Func))
                is_named = isinstance(column, exp.Alias | exp.Aliases)
                if not is_named and any(name in MEDIA or name in self._registry for name in calls):
                    written = column.sql("duckdb", normalize_functions="lower")
                    column.replace(exp.alias_(column.copy(), written, quoted=True))

    def _expand_views(self, tree: exp.Expr, depth: int) -> exp.Expr:
        from sqlglot import exp

        if depth > MAX_VIEW_DEPTH:
            raise UsageError("the views of this query refer to each other in a circle")
        ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            name, is_target = table.name.lower(), isinstance(table.parent, exp.DDL | exp.DML | exp.Drop | exp.Schema)
            is_name = isinstance(table.this, exp.Identifier) and not table.db and not is_target
            if is_name and name in self._views and name not in ctes:
                body = self._expand_views(_parsed(self._views[name]).copy(), depth + 1)
                self._replace(table, body, table.alias or table.name)
        return tree

    def _replace(self, table: exp.Table, body: exp.Expr, alias: str) -> None:
        """Put a view's body where its name stood, joins and column aliases kept."""
        from sqlglot import exp

        columns = table.args["alias"].columns if table.args.get("alias") else []
        named = exp.TableAlias(this=exp.to_identifier(alias), columns=[c.copy() for c in columns])
        keep = {key: table.args[key] for key in ("joins", "laterals", "sample") if table.args.get(key)}
        subquery = exp.Subquery(this=body, alias=named, **keep)
        subquery.meta["view"] = self._views[table.name.lower()]
        table.replace(subquery)

    def _bind_tables(self, tree: exp.Expr) -> None:
        from sqlglot import exp

        for node in list(tree.find_all(exp.Table, exp.Lateral)):
            if not isinstance(node.this, exp.Func):
                continue
            name = function_name(node.this)
            if name in MEDIA:
                self._bind_media(node, name)
            elif name in self._registry:
                self._bind_rows(node, name)

    def _bind_system(self, tree: exp.Expr) -> None:
        from sqlglot import exp

        ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            if isinstance(table.this, exp.Identifier) and not table.db and table.name.lower() not in ctes:
                system = self._system(table.name.lower())
                if system is not None:
                    self._set_media(table, system, table.name)

    def _bind_media(self, node: exp.Expr, name: str) -> None:
        positional, options = split_arguments(node.this)
        if len(positional) != 1 or not isinstance(constant(positional[0]), str):
            raise UsageError(f"{name}() takes one pattern, such as {name}('folder/*'): {node.this.sql('duckdb')}")
        media = self._sync(name, constant(positional[0]), named_options(f"{name}()", options))
        self._set_media(node, media, name)

    def _set_media(self, node: exp.Expr, media: MediaTable, default_alias: str) -> None:
        from sqlglot import exp

        placeholder = f"{MEDIA_PREFIX}{len(self._media) + 1}"
        self._media[placeholder] = media
        self._set_table(node, exp.to_identifier(placeholder), default_alias)

    def _bind_rows(self, node: exp.Expr, name: str) -> None:
        from sqlglot import exp

        bound, arguments = self._call(node.this, name)
        call = exp.Anonymous(this=f"{ROWS_PREFIX}{bound.number}", expressions=arguments)
        alias = node.args.get("alias")
        if alias is not None and alias.columns:
            node.replace(_renamed(call, [c.name for c in bound.model.signature.outputs], alias))
        else:
            self._set_table(node, call, name)

    def _set_table(self, node: exp.Expr, this: exp.Expr, default_alias: str) -> None:
        """Make `node` the relation `this`; a LATERAL becomes the table function it is."""
        from sqlglot import exp

        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(default_alias))
        node.replace(exp.Table(this=this, alias=alias, joins=node.args.get("joins")))

    def _bind_scalars(self, tree: exp.Expr) -> None:
        from sqlglot import exp

        for node in list(tree.find_all(exp.Func)):
            name = function_name(node)
            if name not in self._registry or isinstance(node.parent, exp.Table | exp.Lateral):
                continue
            bound, arguments = self._call(node, name)
            if isinstance(
                node.find_ancestor(exp.Lambda, exp.Comprehension, exp.Select), exp.Lambda | exp.Comprehension
            ):
                raise UsageError(
                    f"{name}() inside a list function: unnest the list, call {name}(), collect with list()"
                )
            if bound.model.signature.returns != "scalar":
                columns = ", ".join(c.name for c in bound.model.signature.outputs)
                raise UsageError(f"{name}() gives rows ({columns}): use it in FROM, as in FROM …, {name}(…) m")
            node.replace(exp.Anonymous(this=f"{SCALAR_PREFIX}{bound.number}", expressions=arguments))

    def _call(self, node: exp.Expr, name: str) -> tuple[BoundCall, list[exp.Expr]]:
        written = node.sql("duckdb", normalize_functions=False)
        positional, options = split_arguments(node)
        model = self._registry.model(name, named_options(f"{name}()", options))
        inputs = model.signature.inputs
        if len(positional) != len(inputs):
            wanted = ", ".join(f"{c.name} {c.type}" for c in inputs)
            raise UsageError(f"{name}() takes {len(inputs)} argument(s), ({wanted}), not {len(positional)}: {written}")
        bound = BoundCall(len(self._calls) + 1, name, model, self._results.call(model.signature), written)
        self._calls[bound.number] = bound
        return bound, [_as_text(one, column.type) for one, column in zip(positional, inputs, strict=True)]


def _as_text(argument: exp.Expr, wanted_type: str) -> exp.Expr:
    """A list where a model takes text (``segment(image, [x0, y0, x1, y1])``) is written out; all else stays."""
    from sqlglot import exp

    is_list = isinstance(argument, exp.Array | exp.Tuple)
    return exp.cast(argument.copy(), "VARCHAR") if is_list and wanted_type == "VARCHAR" else argument


@lru_cache(maxsize=64)
def _parsed(view: str) -> exp.Expr:
    return parse_one(view)


def _renamed(call: exp.Expr, outputs: list[str], alias: exp.TableAlias) -> exp.Expr:
    """``detect(image) AS o(a, b)`` as a subquery that renames the outputs; those past the list keep their names."""
    from sqlglot import exp

    names = [column.name for column in alias.columns] + outputs[len(alias.columns) :]
    columns = [exp.alias_(exp.column(o, quoted=True), n, quoted=True) for o, n in zip(outputs, names, strict=False)]
    inner = exp.Table(this=call, alias=exp.TableAlias(this=exp.to_identifier("__renamed")))
    body = exp.Subquery(this=exp.Select(expressions=columns).from_(inner))
    return exp.Lateral(this=body, alias=exp.TableAlias(this=alias.this))


def function_name(node: exp.Expr) -> str:
    """The SQL name of a function node, lower case."""
    from sqlglot import exp

    return (node.name if isinstance(node, exp.Anonymous) else getattr(node, "sql_name", lambda: "")()).lower()


def split_arguments(node: exp.Expr) -> tuple[list[exp.Expr], list[exp.Expr]]:
    """Positional arguments and ``name => value`` options of a call."""
    from sqlglot import exp

    arguments = node.expressions if isinstance(node, exp.Anonymous) else list(node.args.values())
    flat = [one for argument in arguments for one in (argument if isinstance(argument, list) else [argument]) if one]
    named: list[exp.Expr] = [one for one in flat if isinstance(one, exp.Kwarg | exp.PropertyEQ)]
    return [one for one in flat if not isinstance(one, exp.Kwarg | exp.PropertyEQ)], named
