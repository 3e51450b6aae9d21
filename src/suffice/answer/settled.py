"""Views that cost nothing any more: once every call of a view is known for all its media, its rows are kept joined.

A view over frames and detections is a join, and joining a million kept rows takes longer than most questions about
them. The second time that a statement lacks nothing of a view, the view's rows become a table on the
:class:`~suffice.store.shelf.Shelf`, and that statement and later ones read it instead. It holds for the same text, the
same files and the same models; anything else is another key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suffice.answer.engine import Engine
from suffice.answer.work import Work
from suffice.sql.plan import MEDIA_PREFIX, ROWS_PREFIX, SCALAR_PREFIX, Bound, number_of
from suffice.sql.sparse import plan_sparsely
from suffice.store.catalogue import MediaTable
from suffice.store.results import Call
from suffice.store.shelf import Shelf

if TYPE_CHECKING:
    from sqlglot import exp

ROWS_MAX = 20_000_000

Key = tuple[object, ...]


@dataclass(frozen=True)
class _Settled:
    table: MediaTable
    cached: Mapping[str, tuple[Call, int]]


class SettledViews:
    """The settled views of a connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._shelf = Shelf(engine.database)
        self._known: dict[Key, _Settled] = {}
        self._asked: set[Key] = set()
        self._incomplete: set[Key] = set()

    def forget(self) -> None:
        """Results were dropped: nothing is settled any more."""
        self._shelf.clear()
        for keys in (self._known, self._asked, self._incomplete):
            keys.clear()

    def use(self, bound: Bound, work: Work) -> Bound:
        """`bound` with its settled views read from their tables, and what they hold booked as cached."""
        from sqlglot import exp

        if not self._known and not self._asked:
            return bound
        media, gone = dict(bound.media), set[int]()
        for view in _views(bound.tree):
            settled = self._settled(view, bound)
            if settled is None:
                continue
            gone |= set(_calls_in(view))
            placeholder = f"{MEDIA_PREFIX}{len(media) + 1}"
            media[placeholder] = settled.table
            view.replace(exp.Table(this=exp.to_identifier(placeholder), alias=view.args.get("alias")))
            for name, (call, count) in settled.cached.items():
                work.of(name).cached = max(work.of(name).cached, count)
                work.hits.append((call, count))
                self._engine.results.used(call, done=0, cached=count, seconds=0.0, price=0.0)
        if not gone:
            return bound
        calls = {number: call for number, call in bound.calls.items() if number not in gone}
        used = {t.name.lower() for t in bound.tree.find_all(exp.Table)}
        return replace(bound, calls=calls, media={name: table for name, table in media.items() if name in used})

    def is_coming(self, bound: Bound, work: Work) -> bool:
        """Look at an answer given: whether a view of it will be settled when it is asked of again."""
        if any(m.done or m.failed for m in work.model_calls.values()):
            self._incomplete.clear()
            return False
        if any(m.skipped for m in work.model_calls.values()) or any(t.version is None for t in bound.media.values()):
            return False
        new = {_key(view, bound) for view in _views(bound.tree)} - self._known.keys() - self._incomplete
        self._asked |= new
        return bool(new)

    def _settled(self, view: exp.Subquery, bound: Bound) -> _Settled | None:
        key = _key(view, bound)
        if key in self._asked:
            self._asked.remove(key)
            calls = {number: bound.calls[number] for number in _calls_in(view)}
            if not self._keep(replace(bound, tree=view.this, calls=calls), key):
                self._incomplete.add(key)
        return self._known.get(key)

    def _keep(self, view: Bound, key: Key) -> bool:
        from suffice.sql.rewrite.as_sql import answer_sql

        cached = self._complete(view)
        if not cached:
            return False
        body = answer_sql(view)
        ((rows,),) = self._engine.database.rows(f"SELECT count(*) FROM ({body})")
        table = self._shelf.put(body) if int(str(rows)) <= ROWS_MAX else None
        if table is None:
            return False
        columns = [str(row[0]) for row in self._engine.database.rows(f"DESCRIBE {table}")]
        self._known[key] = _Settled(MediaTable("view", table, tuple(columns), len(self._known)), cached)
        return True

    def _complete(self, view: Bound) -> dict[str, tuple[Call, int]]:
        """Inputs of each call when the view by itself lacks none; empty when it does, or may change unseen."""
        plan = plan_sparsely(view, self._engine.describe)
        if not plan.is_repeatable:
            return {}
        inputs: dict[str, tuple[Call, int]] = {}
        for site in plan.sites:
            call = view.calls[site.number]
            need = plan.need(site, frozenset(view.calls) - {site.number})
            if need is None:
                return {}
            ((needed, kept),) = self._engine.database.rows(
                f"SELECT count(*), count(*) FILTER (WHERE {need.is_kept}) {need.needed}"
            )
            if needed != kept:
                return {}
            if int(str(needed)) >= inputs.get(call.name, (call.call, 0))[1]:
                inputs[call.name] = call.call, int(str(needed))
        return inputs


def _views(tree: exp.Expr) -> list[exp.Subquery]:
    """Expanded views that stand in no other view."""
    from sqlglot import exp

    views = [node for node in tree.find_all(exp.Subquery) if node.meta.get("view")]
    return [view for view in views if not any(_is_inside(view, other) for other in views if other is not view)]


def _is_inside(node: exp.Expr, other: exp.Expr) -> bool:
    parent = node.parent
    while parent is not None and parent is not other:
        parent = parent.parent
    return parent is other


def _calls_in(view: exp.Subquery) -> list[int]:
    from sqlglot import exp

    names = [node.name for node in view.find_all(exp.Anonymous)]
    found = [number_of(name, ROWS_PREFIX) or number_of(name, SCALAR_PREFIX) for name in names]
    return [number for number in found if number is not None]


def _key(view: exp.Subquery, bound: Bound) -> Key:
    """The view's text, which rows its media have, and which results its calls read."""
    from sqlglot import exp

    media = [t.name.lower() for t in view.find_all(exp.Table) if number_of(t.name, MEDIA_PREFIX) is not None]
    versions = tuple((bound.media[name].table, bound.media[name].version) for name in media)
    calls = tuple(bound.calls[number].call.call_id for number in _calls_in(view))
    return (view.meta["view"], versions, calls)
