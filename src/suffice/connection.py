"""`connect()` and what one does with it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from suffice.answer.engine import Engine, QueryBudget
from suffice.answer.result import Result
from suffice.answer.settled import SettledViews
from suffice.answer.work import Work
from suffice.errors import SufficeError, UsageError, nearest
from suffice.models.registry import Registry
from suffice.sql.statement import CreateModel, DropModel, Explain, Query, parse
from suffice.sql.target import split_target
from suffice.store.catalogue import MEDIA, Catalogue, MediaTable
from suffice.store.database import open_database
from suffice.store.results import ResultStore
from suffice.store.schema import create_schema
from suffice.store.upkeep import Upkeep

if TYPE_CHECKING:
    from sqlglot import exp

    from suffice.models.protocol import Image, Model
    from suffice.sql.plan import Bound

_MACROS = (
    "CREATE OR REPLACE TEMP MACRO crop(image, x0, y0, x1, y1) AS image || '@' || floor(x0)::BIGINT || ','"
    " || floor(y0)::BIGINT || ',' || ceil(x1)::BIGINT || ',' || ceil(y1)::BIGINT",
)


def connect(
    target: str | Path | None = None,
    *,
    roots: Sequence[str | Path] | None = None,
    progress: bool | None = None,
    project: str | Path | None = None,
) -> Connection:
    """Open `target` and ask it questions.

    Args:
        target: a file (DuckDB), ``":memory:"``, ``"postgresql://…"``, or a folder of Parquet files.
            The store of results lives in it. By default what `project` names, else memory.
        roots: folders that media may be read from; None allows any path.
        progress: show progress bars on stderr; None shows them when stderr is a terminal.
        project: a ``suffice.toml`` whose media, models, roots, budget and store this connection gets.
    """
    if project is None:
        return Connection(target or ":memory:", roots=roots, progress=progress)
    from suffice.project import load_project, project_statements

    loaded = load_project(project)
    allowed = roots if roots is not None else loaded.roots
    con = Connection(target or loaded.target or ":memory:", roots=allowed, progress=progress)
    con.limit(**asdict(loaded.budget))
    for statement in project_statements(loaded):
        con.sql(statement)
    return con


class Connection:
    """A target, its models, and the store of everything they ever computed."""

    def __init__(
        self,
        target: str | Path = ":memory:",
        *,
        roots: Sequence[str | Path] | None = None,
        progress: bool | None = None,
    ) -> None:
        database = open_database(target)
        create_schema(database)
        for macro in _MACROS:
            database.rows(macro)
        self._database = database
        self._registry = Registry()
        self._catalogue = Catalogue(database, roots)
        self._results = ResultStore(database)
        self._engine = Engine(database, self._catalogue, self._results, self._registry, progress)
        self._settled = SettledViews(self._engine)
        self._statement = threading.RLock()
        self._roots = roots
        self._views = self._load_views()
        self._load_models()

    def sql(self, query: str, *, seed: int | None = None) -> Result:
        """Run one statement.

        Args:
            query: DuckDB's SQL with media tables and models (see the README).
            seed: of whatever is sampled; an exact answer needs none.

        Raises:
            SufficeError: the request failed; one line that names what and where.
        """
        import duckdb

        with self._statement:
            try:
                return self._sql(query)
            except duckdb.Error as error:
                raise self._explained(error) from None

    def limit(
        self, *, max_calls: int | None = None, max_price: float | None = None, max_seconds: float | None = None
    ) -> None:
        """What one statement may spend on models from now on; one that needs more is refused before it spends."""
        self._engine.budget = QueryBudget(max_calls, max_price, max_seconds)

    def _sql(self, query: str) -> Result:
        started = time.perf_counter()
        text, target = split_target(query)
        if target is not None:
            raise UsageError("WITHIN, RECALL, PRECISION and BUDGET are not answered yet: leave the clause out")
        statement = parse(text, self._names())
        work = Work()
        work.spend("parse", time.perf_counter() - started)
        match statement:
            case CreateModel():
                return self._create_model(statement, work)
            case DropModel():
                return self._drop_model(statement, work)
            case Explain():
                return self._explain(statement, work)
            case Query():
                return self._query(statement, work)

    def explain(self, query: str, *, analyze: bool = False) -> str:
        """The plan of `query` as a tree, with predicted (and, analysed, actual) model calls and seconds."""
        lines = self._explain(Explain(query, analyze), Work()).fetchall()
        return "\n".join(str(line[0]) for line in lines)

    def register(self, name: str, model: Model | Callable[..., Model]) -> None:
        """Make a model (or a factory of models, called with the options) callable in SQL as `name`."""
        is_factory = callable(model) and not hasattr(model, "signature")
        self._registry.register(name, model if is_factory else _fixed(name, cast("Model", model)))  # type: ignore[arg-type]

    def image(self, reference: str) -> Image:
        """Pixels of an image reference: uint8 ``[height, width, 3]``, RGB."""
        from suffice.media.load import load_images

        ((_, image),) = load_images([reference], self._catalogue.locate)
        if isinstance(image, Exception):
            raise image
        return image

    @property
    def store(self) -> Upkeep:
        """What is kept, in numbers, and how to let go of it."""
        self._results.flush()
        return Upkeep(self._database, self._forget)

    def _forget(self) -> None:
        self._engine.forget()
        self._settled.forget()

    @property
    def models(self) -> list[str]:
        """Names of all models that can be called."""
        return self._registry.names()

    @property
    def duckdb(self) -> Any:
        """The DuckDB connection underneath, for its own Python interface (user functions, registered frames)."""
        return self._database.connection

    def close(self) -> None:
        """Close the target; results that were not fetched are gone."""
        self._results.flush()
        self._database.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- statements -----------------------------------------------------------------------------------------

    def _query(self, statement: Query, work: Work) -> Result:
        from sqlglot import exp

        if statement.tree is None:
            return self._run(statement.sql, False, work)
        if (
            isinstance(statement.tree, exp.Create)
            and statement.tree.kind == "VIEW"
            and (created := self._view(statement))
        ):
            return self._message(created, work)
        if isinstance(statement.tree, exp.Drop) and statement.tree.kind == "VIEW":
            name = statement.tree.this.name.lower()
            if name in self._views:
                return self._message(self._drop_view(name), work)
        asked = self._bind(statement.tree, work)
        bound = self._settled.use(asked, work)
        if bound.is_plain:
            return self._run(statement.sql, isinstance(statement.tree, exp.Query), work)
        from suffice.answer.exact import answer_exactly
        from suffice.sql.rewrite.as_sql import answer_sql

        if isinstance(bound.tree, exp.Query):  # wrong names are found before any model runs
            self._database.rows(f"DESCRIBE {answer_sql(bound)}")
        answer = answer_exactly(self._engine, bound, work)
        self._settled.settle(bound, work)
        return self._run(answer, isinstance(bound.tree, exp.Query), work)

    def _names(self) -> set[str]:
        """Names in a statement that make it ours."""
        return {*MEDIA, *self._views, *self._registry.names()}

    def _bind(self, tree: exp.Expr, work: Work) -> Bound:
        from suffice.answer.system import system_table
        from suffice.sql.bind import bind

        started = time.perf_counter()

        def sync(function: str, pattern: str, options: Mapping[str, Any]) -> MediaTable:
            return self._catalogue.sync(function, pattern, options, lambda path: None)

        def system(name: str) -> MediaTable | None:
            return system_table(self._engine, name)

        bound = bind(tree, self._registry, self._results, self._views, sync, system)
        work.spend("bind", time.perf_counter() - started)
        return bound

    def _run(self, sql: str, is_query: bool, work: Work) -> Result:
        """Let DuckDB answer; a statement that gives no relation gives its count or nothing."""
        started = time.perf_counter()
        try:
            if is_query:
                return Result(self._database, sql, work, self.image)
            rows = self._database.rows(sql)
            names = [column[0] for column in self._database.connection.description or []]
        finally:
            work.spend("query", time.perf_counter() - started)
        return self._rows_result(names, rows, work)

    def _rows_result(self, names: list[str], rows: list[tuple[Any, ...]], work: Work) -> Result:
        import pyarrow as pa

        arrays = {name: [row[i] for row in rows] for i, name in enumerate(names)} or {"done": [True]}
        with self._database.lock:
            self._database.connection.register("suffice_rows", pa.table(arrays))
            try:
                return Result(self._database, "SELECT * FROM suffice_rows", work, self.image)
            finally:
                self._database.connection.unregister("suffice_rows")

    def _message(self, text: str, work: Work) -> Result:
        return self._rows_result(["message"], [(text,)], work)

    def _explained(self, error: Exception) -> SufficeError:
        """DuckDB's own words in one line, with our names among the near misses."""
        lines = [
            line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith(("LINE", " ", "^"))
        ]
        message = " ".join(lines)
        unknown = re.search(r"Function with name \"?([\w]+)\"? does not exist", message)
        if unknown:
            hint = nearest(unknown.group(1), [*MEDIA, *self._registry.names()])
            message = message.split("!")[0] + hint if hint else message
        return SufficeError(message)

    # -- views and models -----------------------------------------------------------------------------------

    def _view(self, statement: Query) -> str | None:
        """Keep a view over media or models; None when DuckDB can keep it itself."""
        from sqlglot import exp

        create = statement.tree
        assert isinstance(create, exp.Create)
        body = create.expression
        if self._bind(body, Work()).is_plain:
            return None
        name = create.this.name.lower()
        if name in self._views and not create.args.get("replace"):
            raise UsageError(f"the view {name!r} exists already: CREATE OR REPLACE VIEW replaces it")
        self._check(body)
        schema = self._database.schema
        with self._database.transaction() as connection:
            connection.execute(f"DELETE FROM {schema}.views WHERE name = ?", [name])
            connection.execute(f"INSERT INTO {schema}.views VALUES (?, ?)", [name, body.sql("duckdb")])
        self._views[name] = body.sql("duckdb")
        return f"view {name} created"

    def _check(self, body: Any) -> None:
        """Let DuckDB bind the body, so that a wrong name is found now and not at the first question."""
        from suffice.sql.rewrite.as_sql import answer_sql

        self._database.rows(f"DESCRIBE {answer_sql(self._bind(body, Work()))}")

    def _drop_view(self, name: str) -> str:
        self._database.rows(f"DELETE FROM {self._database.schema}.views WHERE name = ?", [name])
        del self._views[name]
        return f"view {name} dropped"

    def _load_views(self) -> dict[str, str]:
        rows = self._database.rows(f"SELECT name, sql FROM {self._database.schema}.views")
        return {str(name): str(sql) for name, sql in rows}

    def _create_model(self, statement: CreateModel, work: Work) -> Result:
        name, schema = statement.name.lower(), self._database.schema
        if self._database.rows("SELECT 1 FROM duckdb_functions() WHERE function_name = ? LIMIT 1", [name]):
            raise UsageError(f"CREATE MODEL {name}: DuckDB has a function of this name already")
        known = {str(row[0]) for row in self._database.rows(f"SELECT name FROM {schema}.models")}
        if name in known and not statement.replace:
            raise UsageError(f"the model {name!r} exists already: CREATE OR REPLACE MODEL replaces it")
        with self._code_roots():
            self._registry.bind(name, statement.locator, statement.options)
        with self._database.transaction() as connection:
            connection.execute(f"DELETE FROM {schema}.models WHERE name = ?", [name])
            connection.execute(
                f"INSERT INTO {schema}.models VALUES (?, ?, ?)",
                [name, statement.locator, json.dumps(dict(statement.options))],
            )
        return self._message(f"model {name} created", work)

    def _drop_model(self, statement: DropModel, work: Work) -> Result:
        name = statement.name.lower()
        if statement.if_exists and name not in self._registry:
            return self._message(f"no model {name}", work)
        self._registry.unbind(name)
        self._database.rows(f"DELETE FROM {self._database.schema}.models WHERE name = ?", [name])
        return self._message(f"model {name} dropped; its results are kept, suffice store drop removes them", work)

    def _code_roots(self) -> AbstractContextManager[None]:
        """Where models may take code from: the connection's roots, else the working folder."""
        from suffice.models.roots import allowed_roots

        return nullcontext() if self._roots is None else allowed_roots(self._roots)

    def _load_models(self) -> None:
        for name, locator, options in self._database.rows(
            f"SELECT name, locator, options FROM {self._database.schema}.models"
        ):
            self._registry.bind_later(str(name), str(locator), json.loads(str(options)))

    def _explain(self, statement: Explain, work: Work) -> Result:
        query = parse(statement.sql, self._names())
        if not isinstance(query, Query):
            raise UsageError("EXPLAIN takes a query")
        bound = self._bind(query.tree, work) if query.tree is not None else None
        if bound is None or bound.is_plain:
            return self._run(f"EXPLAIN {'ANALYZE ' if statement.analyze else ''}{statement.sql}", False, work)
        from suffice.answer.explain import explain_lines

        lines = explain_lines(self._engine, bound, statement.analyze, work, self.image)
        return self._rows_result(["plan"], [(line,) for line in lines], work)


def _fixed(name: str, model: Model) -> Callable[..., Model]:
    def factory(**options: Any) -> Model:
        if options:
            raise UsageError(f"{name} takes no options, it was registered as one model")
        return model

    return factory
