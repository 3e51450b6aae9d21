"""Statements asked before: the SQL that answered them, for as long as everything it was made from stands.

Reading, binding and planning a statement takes longer than DuckDB needs for the answer when all results are kept
already. A statement is remembered once an answer to it computed nothing, and is used again only while its files are
the same (they are looked at each time), its models have the same signatures, and no view, model or result was made,
replaced or dropped by this or another connection. Tables of the user may change: DuckDB reads them anew each time, and
where what a model must see hangs on them, nothing is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.answer.engine import Engine
from suffice.answer.work import Work
from suffice.models.protocol import Model, Signature
from suffice.sql.plan import MEDIA_PREFIX, ROWS_PREFIX, Bound, number_of
from suffice.sql.repeatable import is_repeatable
from suffice.sql.statement import Explain
from suffice.sql.target import Target
from suffice.store.catalogue import MediaTable
from suffice.store.results import Call

if TYPE_CHECKING:
    from sqlglot import exp

STATEMENTS_MAX = 256

Sync = Callable[[str, str, Mapping[str, Any]], MediaTable]


@dataclass(frozen=True)
class SeenMedia:
    """A media function of a statement, and the rows it had."""

    function: str
    pattern: str
    options: Mapping[str, Any]
    table: MediaTable


@dataclass(frozen=True)
class Remembered:
    """What answered a statement."""

    sql: str
    media: tuple[SeenMedia, ...]
    models: tuple[tuple[Model, Signature], ...]
    counts: Mapping[str, tuple[int, int]]
    hits: tuple[tuple[Call, int], ...]


@dataclass(frozen=True)
class Asked:
    """A statement with a target, bound.

    Attributes:
        text: the statement without its target.
        explain: the statement that wants its plan, where one does.
    """

    text: str
    target: Target
    bound: Bound
    explain: Explain | None


class RememberedStatements:
    """The last statements of a connection, by their text."""

    def __init__(self, engine: Engine, sync: Sync) -> None:
        self._engine, self._sync = engine, sync
        self._known: OrderedDict[str, Remembered] = OrderedDict()
        self._asked: OrderedDict[str, Asked] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def forget(self) -> None:
        self._known.clear()
        self._asked.clear()

    def asked(self, text: str) -> Asked | None:
        """What `text` was bound to before."""
        return self._asked.get(text)

    def keep_asked(self, text: str, asked: Asked) -> None:
        """Remember what `text` is bound to, where that does not hang on files or models."""
        if asked.bound.is_plain:
            self._asked[text] = asked
            while len(self._asked) > STATEMENTS_MAX:
                self._asked.popitem(last=False)

    def again(self, text: str, work: Work) -> Remembered | None:
        """What answers `text` still, its cached calls booked; None when it must be planned."""
        known = self._known.get(text)
        if known is None:
            return None
        if not self._stands(known):
            del self._known[text]
            return None
        self._known.move_to_end(text)
        for name, (cached, skipped) in known.counts.items():
            work.of(name).cached, work.of(name).skipped = cached, skipped
        for call, cached in known.hits:
            self._engine.results.used(call, done=0, cached=cached, seconds=0.0, price=0.0)
        return known

    def _stands(self, known: Remembered) -> bool:
        same = all(model.signature == signature for model, signature in known.models)
        return same and all(self._sync(m.function, m.pattern, m.options) == m.table for m in known.media)

    def keep(self, text: str, asked: Bound, answered: Bound, sql: str, media: list[SeenMedia], work: Work) -> None:
        """Remember what answered `asked` (as `answered`, its settled views read as tables), if it will do so again."""
        done = work.model_calls.values()
        if any(one.done or one.failed for one in done) or not _will_do(asked, answered):
            return
        self._known[text] = Remembered(
            sql,
            tuple(media),
            tuple((call.model, call.model.signature) for call in asked.calls.values()),
            {name: (one.cached, one.skipped) for name, one in work.model_calls.items()},
            tuple(work.hits),
        )
        while len(self._known) > STATEMENTS_MAX:
            self._known.popitem(last=False)


def _will_do(asked: Bound, answered: Bound) -> bool:
    """Whether the same SQL answers again: always over settled views, over calls where no LIMIT and no table decides."""
    from sqlglot import exp

    if not isinstance(asked.tree, exp.Query) or any(table.version is None for table in asked.media.values()):
        return False
    if not answered.calls:
        return True
    is_limited = answered.tree.args.get("limit") is not None
    return not is_limited and not _reads_tables_of_the_user(answered.tree) and is_repeatable(answered.tree)


def _reads_tables_of_the_user(tree: exp.Expr) -> bool:
    from sqlglot import exp

    clause = tree.args.get("with_")
    ctes = {cte.alias.lower() for cte in clause.expressions} if clause is not None else set()
    return any(not _is_ours(table, ctes) for table in tree.find_all(exp.Table))


def _is_ours(table: exp.Table, ctes: set[str]) -> bool:
    """Media, a call, or a name that WITH at the very top gives; any other name may be the user's."""
    from sqlglot import exp

    if isinstance(table.this, exp.Func):
        return number_of(table.this.name, ROWS_PREFIX) is not None
    if number_of(table.name, MEDIA_PREFIX) is not None:
        return True
    inside = table.find_ancestor(exp.CTE)
    is_itself = inside is not None and inside.alias.lower() == table.name.lower()
    return not table.db and table.name.lower() in ctes and not is_itself
