"""`connect()` and what one does with it."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from suffice.answer.definitions import Definitions
from suffice.answer.engine import Engine, QueryBudget
from suffice.answer.remembered import Asked, RememberedStatements, SeenMedia
from suffice.answer.result import Result
from suffice.answer.settled import SettledViews
from suffice.answer.work import Work
from suffice.errors import SufficeError, UsageError, nearest
from suffice.media.meter import Meter, metering
from suffice.models.engines import open_engine
from suffice.models.registry import Registry
from suffice.models.roots import allowed_roots
from suffice.sql.repeatable import may_change_meaning
from suffice.sql.statement import CreateModel, DropModel, Explain, Query, parse, parse_one
from suffice.sql.target import split_target, split_tokens
from suffice.store.catalogue import MEDIA, Catalogue, MediaTable
from suffice.store.database import open_database
from suffice.store.explained import explained
from suffice.store.results import ResultStore
from suffice.store.schema import DROPS, create_schema
from suffice.store.upkeep import Upkeep

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlglot import exp

    from suffice.answer.audit import Audit
    from suffice.answer.guarantee import Guarantee
    from suffice.answer.guaranteed import Answer
    from suffice.answer.question import Question
    from suffice.estimate.lab import CoverageCell
    from suffice.models.protocol import Image, Model
    from suffice.sql.plan import Bound
    from suffice.tables.build_scramble import Built

_MACROS = (
    "CREATE OR REPLACE TEMP MACRO crop(image, x0, y0, x1, y1) AS image || '@' || floor(x0)::BIGINT || ','"
    " || floor(y0)::BIGINT || ',' || ceil(x1)::BIGINT || ',' || ceil(y1)::BIGINT",
    "CREATE OR REPLACE TEMP MACRO mask_area(mask) AS (mask::JSON ->> '$.area')::BIGINT",
    "CREATE OR REPLACE TEMP MACRO mask_share(mask) AS (mask::JSON ->> '$.area')::BIGINT"
    " / ((mask::JSON ->> '$.size[0]')::BIGINT * (mask::JSON ->> '$.size[1]')::BIGINT)",
    "CREATE OR REPLACE TEMP MACRO cut(image, mask) AS image || '~' || (mask::JSON ->> '$.size[0]') || ','"
    " || (mask::JSON ->> '$.size[1]') || ',' || (mask::JSON ->> '$.counts')",
)


def connect(
    target: str | Path | None = None,
    *,
    roots: Sequence[str | Path] | None = None,
    progress: bool | None = None,
    project: str | Path | None = None,
    engine: str = "local",
) -> Connection:
    """Open `target` and ask it questions.

    Args:
        target: a file (DuckDB), ``":memory:"``, ``"postgresql://…"``, ``"chdb:///folder?database=name"`` (ClickHouse),
            or a folder or URL (``"s3://…"``) of Parquet, Delta or Iceberg. The store of results lives in it, that of an
            object store in memory. By default what `project` names, else memory.
        roots: folders that media may be read from; None allows any path.
        progress: show progress bars on stderr; None shows them when stderr is a terminal.
        project: a ``suffice.toml`` whose media, models, roots, budget and store this connection gets.
        engine: where models run: ``local``, ``ray`` or ``ray://HOST:PORT``, each of Ray's with ``?workers=N``.
    """
    if project is None:
        return Connection(target or ":memory:", roots=roots, progress=progress, engine=engine)
    from suffice.project import load_project, project_statements

    loaded = load_project(project)
    allowed = roots if roots is not None else loaded.roots
    con = Connection(target or loaded.target or ":memory:", roots=allowed, progress=progress, engine=engine)
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
        engine: str = "local",
    ) -> None:
        inference = open_engine(engine)
        database = open_database(target)
        with explained():
            create_schema(database)
            for macro in _MACROS:
                database.rows(macro)
        self._roots = None if roots is None else [str(root) for root in roots]
        if self._roots is not None:
            database.confine([*self._roots, *([database.target] if Path(database.target).is_dir() else [])])
        self._database = database
        self._registry = Registry()
        self._definitions = Definitions(database, self._registry)
        self._catalogue = Catalogue(database, roots)
        self._results = ResultStore(database)
        self._engine = Engine(database, self._catalogue, self._results, self._registry, inference, progress)
        self._settled = SettledViews(self._engine)
        self._remembered = RememberedStatements(self._engine, self._sync)
        self._statement = threading.RLock()
        with self._running():
            pass

    def sql(self, query: str, *, seed: int | None = None) -> Result:
        """Run one statement.

        Args:
            query: DuckDB's SQL with media tables and models (see the README).
            seed: of whatever is sampled; an exact answer needs none.

        Raises:
            SufficeError: the request failed; one line that names what and where.
        """
        if not isinstance(query, str) or "\0" in query:
            raise UsageError("a statement is text without zero bytes")
        meter = Meter()
        with self._running(), metering(meter):
            result = self._over_lost_tables(query, seed)
        result.work.bytes_read += meter.bytes_read
        return result

    def _over_lost_tables(self, query: str, seed: int | None) -> Result:
        """Run a statement; a ROLLBACK of the user's may have taken temporary tables of ours with it."""
        import duckdb

        try:
            return self._sql(query, seed)
        except duckdb.CatalogException as error:
            if "suffice_" not in str(error):
                raise
            self._forget()
            self._catalogue.forget_tables()
            return self._sql(query, seed)

    def stream(self, query: str, *, seed: int | None = None) -> Iterator[Result]:
        """Answers to a statement with a target, each closer than the one before; the last is what :meth:`sql` gives.

        A statement without a target has one answer. Other statements of this connection wait until the stream is
        read to its end or closed.
        """
        meter = Meter()
        with self._running(), metering(meter):
            streamed = Work(is_streamed=True)
            asked = self._asked(query, streamed)
            for answer in [self._sql(query, seed)] if asked is None else self._answers(asked, seed, streamed):
                answer.work.bytes_read, meter.bytes_read = answer.work.bytes_read + meter.bytes_read, 0
                yield answer

    def limit(
        self, *, max_calls: int | None = None, max_price: float | None = None, max_seconds: float | None = None
    ) -> None:
        """What one statement may spend on models from now on; one that needs more is refused before it spends."""
        self._engine.budget = QueryBudget(max_calls, max_price, max_seconds)

    def _sql(self, query: str, seed: int | None) -> Result:
        started = time.perf_counter()
        work = Work()
        if (known := self._remembered.again(query, work)) is not None:
            work.spend("bind", time.perf_counter() - started)
            return self._run(known.sql, True, work)
        if (asked := self._asked(query, work)) is not None:
            *_, last = self._answers(asked, seed, work)
            return last
        statement = parse(query, self._names())
        work.spend("parse", time.perf_counter() - started)
        match statement:
            case CreateModel():
                return self._message(self._definitions.create_model(statement), work)
            case DropModel():
                return self._message(self._definitions.drop_model(statement), work)
            case Explain():
                self._database.changes += 1  # ANALYZE runs what it explains
                return self._explain(statement, work)
            case Query():
                return self._query(statement, work)

    def explain(self, query: str, *, analyze: bool = False) -> str:
        """The plan of `query` as a tree, with predicted (and, analysed, actual) model calls and seconds."""
        with self._running():
            lines = self._sql(f"EXPLAIN {'ANALYZE ' if analyze else ''}{query}", None).fetchall()
        return "\n".join(str(line[0]) for line in lines)

    def coverage(self, query: str, *, runs: int = 100, seed: int = 0) -> CoverageCell:
        """How often the guarantee of an aggregate statement holds here: its exact answer against `runs` samples.

        Everything the exact answer needs is computed and kept first; the samples cost no calls.
        """
        from suffice.answer.coverage_lab import query_coverage

        with self._running():
            text, target = split_target(query)
            if target is None:
                raise UsageError("coverage is of a statement with a target: add WITHIN e% CONFIDENCE p%")
            return query_coverage(self._engine, self._bind(parse_one(text), Work()), target, runs, seed)

    @contextmanager
    def _running(self) -> Iterator[None]:
        """One statement at a time, over what other connections left, within the roots; errors are one line of ours."""
        allowed = nullcontext() if self._roots is None else allowed_roots(self._roots)
        with self._statement, allowed, self._named_nearest(), explained():
            self._look_again()
            yield

    @property
    def sample_always(self) -> bool:
        """Whether WITHIN samples tables even where reading everything is predicted to be as fast: to read little
        matters then, not time."""
        return self._engine.sample_always

    @sample_always.setter
    def sample_always(self, value: bool) -> None:
        self._engine.sample_always = value

    def scramble(
        self, table: str, *, by: str | None = None, joins: Sequence[str] | None = None, seed: int = 0
    ) -> Built:
        """Make (or, when rows were added, changed or deleted, renew) the shuffled copy that WITHIN draws from.

        Interrupted, it leaves what was there. ``DROP`` it with :meth:`drop_scramble`.

        Args:
            by: a join key: the copy is then ordered by a hash of it, and a join of two tables that both have such a
                copy is sampled by keys, on both sides.
            joins: ``"table(column, …) ON column = key"`` each: the copy holds those columns as well, and questions
                over the join read it alone. None keeps the joins that the copy has.
        """
        from suffice.tables.build_scramble import build_key_scramble, build_scramble

        with self._running():
            if by is not None:
                return build_key_scramble(self._database, table, by, seed)
            return build_scramble(self._database, table, seed, joins)

    def drop_scramble(self, table: str) -> None:
        """Drop the shuffled copy of a table."""
        from suffice.tables.build_scramble import drop_scramble

        with self._running():
            drop_scramble(self._database, table)

    def audit(self, result: Result) -> Audit:
        """Run the exact statement behind `result` and say whether its guarantee held.

        Raises:
            UsageError: the result has no guarantee to check.
        """
        if result.guarantee is None or result.statement is None:
            raise UsageError("this result has no guarantee to audit: ask with WITHIN e% CONFIDENCE p%")
        from suffice.answer.allowed_rows import allowed_rows
        from suffice.answer.audit import audit

        exact, guarantee = allowed_rows(result.statement, self.sql), result.guarantee
        error = guarantee.target.get("error_relative_max")
        return audit(result.columns, result.fetchall(), guarantee.intervals, exact.rows, error, needed=exact.needed)

    def ask(self, question: Any, **frames: Any) -> Question:
        """A query to be answered with ``.within(error, confidence)`` or ``.exact()``.

        Args:
            question: a SELECT, an ibis expression over this target's tables, or a pandas or Polars frame, of which
                ``.sum(column)`` and the like are asked.
            frames: pandas or Polars frames that the SELECT names.
        """
        from suffice.answer.question import Question

        return Question(self, question, frames)

    def register(self, name: str, model: Model | Callable[..., Model]) -> None:
        """Make a model (or a factory of models, called with the options) callable in SQL as `name`."""
        if not callable(model) and not hasattr(model, "signature"):
            raise UsageError(f"register({name!r}): {model!r:.80} is neither a model nor a function that gives one")
        is_factory = not hasattr(model, "signature")
        self._remembered.forget()
        self._registry.register(name, model if is_factory else _fixed(name, cast("Model", model)))  # type: ignore[arg-type]

    @explained()
    def image(self, reference: str) -> Image:
        """Pixels of an image reference: uint8 ``[height, width, 3]``, RGB."""
        from suffice.media.load import load_images

        ((_, image),) = load_images([reference], self._catalogue.locate)
        if isinstance(image, Exception):
            raise image
        return image

    @explained()
    def path(self, reference: str) -> str:
        """The file (or URL) that an image reference points into; inside the roots."""
        from suffice.media.reference import parse_reference

        return self._catalogue.locate(parse_reference(reference).file_hash).path

    @property
    def store(self) -> Upkeep:
        """What is kept, in numbers, and how to let go of it."""
        with explained():
            self._results.flush()
        return Upkeep(self._database, self._forget)

    def _forget(self) -> None:
        self._engine.forget()
        self._settled.forget()
        self._remembered.forget()

    @property
    def models(self) -> list[str]:
        """Names of all models that can be called."""
        return self._registry.names()

    @property
    def registry(self) -> Registry:
        """The models behind the names, for whoever runs them outside SQL."""
        return self._registry

    @property
    def views(self) -> dict[str, str]:
        """Views over media and models: name to SQL. Other views are DuckDB's own."""
        return dict(self._definitions.views)

    @property
    def duckdb(self) -> Any:
        """The DuckDB connection underneath, for its own Python interface (user functions, registered frames)."""
        self._database.is_lent = True
        return self._database.connection

    @explained()
    def close(self) -> None:
        """Close the target; results that were not fetched are gone."""
        self._engine.inference.close()
        self._results.flush()
        self._settled.forget()
        self._database.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- statements -----------------------------------------------------------------------------------------

    def _query(self, statement: Query, work: Work) -> Result:
        from sqlglot import exp

        self._database.changes += not isinstance(statement.tree, exp.Query)
        if statement.tree is None:
            count = len(self._database.connection.extract_statements(statement.sql))
            if count != 1:
                raise UsageError(f"one statement at a time: this has {count}" if count else "there is no statement")
            self._forget()
            return self._run(statement.sql, False, work)
        if may_change_meaning(statement.tree):
            self._forget()
        if (
            isinstance(statement.tree, exp.Create)
            and statement.tree.kind == "VIEW"
            and (created := self._view(statement))
        ):
            return self._message(created, work)
        if isinstance(statement.tree, exp.Drop) and statement.tree.kind == "VIEW":
            view = statement.tree.find(exp.Table)
            if view is not None and not view.db and view.name.lower() in self._definitions.views:
                return self._message(self._definitions.drop_view(view.name.lower()), work)
        self._engine.drop_passing()
        seen: list[SeenMedia] = []
        asked = self._bind(statement.tree, work, seen)
        bound = self._settled.use(asked, work)
        if bound.is_plain:
            return self._run(statement.sql, isinstance(statement.tree, exp.Query), work)
        from suffice.answer.exact import answer_exactly

        if bound.calls:
            bound = self._checked(bound)
        answer = answer_exactly(self._engine, bound, work)
        result = self._run(answer, isinstance(bound.tree, exp.Query), work)
        if not self._settled.is_coming(bound, work):  # else the next time is cheaper still
            self._remembered.keep(statement.sql, asked, bound, answer, seen, work)
        return result

    def _asked(self, query: str, work: Work) -> Asked | None:
        """A statement with a target; None for one without."""
        from sqlglot import exp

        if (known := self._remembered.asked(query)) is not None:
            return known
        text, target, tokens = split_tokens(query)
        if target is None:
            return None
        statement = parse(text, self._names(), tokens)
        tree = statement.tree if isinstance(statement, Query) else None
        plain = statement.sql if isinstance(statement, Explain) else text
        tree = tree or parse_one(plain)
        if not isinstance(tree, exp.Query):
            raise UsageError(f"a guarantee is for a SELECT, not for {tree.key.upper()}")
        bound = replace(self._bind(tree, work), written=plain)
        asked = Asked(text, target, bound, statement if isinstance(statement, Explain) else None)
        self._remembered.keep_asked(query, asked)
        return asked

    def _answers(self, asked: Asked, seed: int | None, work: Work) -> Iterator[Result]:
        """Answers to a query with a target; without a seed each run draws its own and says which."""
        from suffice.answer.guaranteed import answers, plan_lines

        bound, target, seed = asked.bound, asked.target, secrets.randbits(31) if seed is None else seed
        if asked.explain is not None:
            lines = plan_lines(self._engine, bound, target, seed, work, analyze=asked.explain.analyze)
            yield self._rows_result(["plan"], [(line,) for line in lines], work)
            return
        for answer in answers(self._engine, bound, target, seed, work):
            result = self._answer_result(answer, work)
            result.statement = asked.text
            yield result

    def _answer_result(self, answer: Answer, work: Work) -> Result:
        started = time.perf_counter()
        try:
            if isinstance(answer.rows, str):
                return Result(self._database, answer.rows, work, self.image, answer.guarantee, answer.columns)
            return self._table_result(answer.rows, work, answer.guarantee)
        finally:
            work.spend("query", time.perf_counter() - started)

    def _names(self) -> set[str]:
        """Names in a statement that make it ours."""
        return {*MEDIA, *self._definitions.views, *self._registry.names()}

    def _sync(self, function: str, pattern: str, options: Mapping[str, Any]) -> MediaTable:
        return self._catalogue.sync(function, pattern, options, lambda path: None)

    def _bind(self, tree: exp.Expr, work: Work, seen: list[SeenMedia] | None = None) -> Bound:
        from suffice.answer.system import system_table
        from suffice.sql.bind import bind

        started = time.perf_counter()

        def sync(function: str, pattern: str, options: Mapping[str, Any]) -> MediaTable:
            table = self._sync(function, pattern, options)
            if seen is not None:
                seen.append(SeenMedia(function, pattern, options, table))
            return table

        def system(name: str) -> MediaTable | None:
            return system_table(self._engine, name)

        bound = bind(tree, self._registry, self._results, self._definitions.views, sync, system)
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
        return self._table_result(pa.table(arrays), work, None)

    def _table_result(self, table: pa.Table, work: Work, guarantee: Guarantee | None) -> Result:
        with self._database.lock:
            self._database.connection.register("suffice_rows", table)
            try:
                return Result(self._database, "SELECT * FROM suffice_rows", work, self.image, guarantee)
            finally:
                self._database.connection.unregister("suffice_rows")

    def _message(self, text: str, work: Work) -> Result:
        return self._rows_result(["message"], [(text,)], work)

    @contextmanager
    def _named_nearest(self) -> Iterator[None]:
        """Our names among the near misses of a function that DuckDB does not know."""
        try:
            yield
        except SufficeError as error:
            unknown = re.search(r"Function with name \"?([\w]+)\"? does not exist", str(error))
            hint = nearest(unknown.group(1), [*MEDIA, *self._registry.names()]) if unknown else ""
            if not hint:
                raise
            raise SufficeError(str(error).split("!")[0] + hint) from None

    # -- views and models -----------------------------------------------------------------------------------

    def _view(self, statement: Query) -> str | None:
        """Keep a view over media or models; None when DuckDB can keep it itself."""
        from sqlglot import exp

        create = statement.tree
        assert isinstance(create, exp.Create)
        body = create.expression
        bound = self._bind(body.copy(), Work())
        name, replaces = create.this.name.lower(), bool(create.args.get("replace"))
        if bound.is_plain:
            self._definitions.give_up_view(name, replace=replaces)
            return None
        self._checked(bound)
        return self._definitions.create_view(name, body.sql("duckdb", normalize_functions=False), replace=replaces)

    def _checked(self, bound: Bound) -> Bound:
        """The query as DuckDB can bind it, so that a wrong name is found before any model runs."""
        from suffice.answer.bindable import bindable

        return bindable(self._engine, bound)

    def _look_again(self) -> None:
        """Forget what hangs on what another connection made or dropped since the last statement."""
        changed = self._definitions.look_again()
        if changed:
            self._engine.forget()
            self._remembered.forget()
        if DROPS in changed:
            self._settled.forget()

    def _explain(self, statement: Explain, work: Work) -> Result:
        query = parse(statement.sql, self._names())
        if not isinstance(query, Query):
            raise UsageError("EXPLAIN takes a query")
        bound = self._bind(query.tree, work) if query.tree is not None else None
        if bound is None or bound.is_plain:
            return self._run(f"EXPLAIN {'ANALYZE ' if statement.analyze else ''}{statement.sql}", False, work)
        from suffice.answer.explain import explain_lines

        bound = self._checked(bound)
        lines = explain_lines(self._engine, bound, statement.analyze, work, self.image)
        return self._rows_result(["plan"], [(line,) for line in lines], work)


def _fixed(name: str, model: Model) -> Callable[..., Model]:
    def factory(**options: Any) -> Model:
        if options:
            raise UsageError(f"{name} takes no options, it was registered as one model")
        return model

    return factory
