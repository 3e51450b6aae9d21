"""Semantic joins: two relations that a model compares become one relation of pairs, whose units are pairs.

``FROM images('a/*') a JOIN images('b/*') b ON same(a.image, b.image)`` asks the model of every pair. As one table of
pairs it is sampled like any other: a PROXY such as the cosine of embeddings blocks it (the pairs that look alike are
asked one and all, the rest is drawn at random in strata), and every interval is as valid as without it.
Source of the design: blocking-augmented sampling (BaS, arXiv 2603.16153), with the bounds of
:mod:`suffice.estimate.martingale`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from suffice.answer.base_units import NUMBER
from suffice.answer.engine import Engine
from suffice.sql.plan import MEDIA_PREFIX, SCALAR_PREFIX, Bound, number_of
from suffice.store.catalogue import MediaTable
from suffice.store.database import quote

if TYPE_CHECKING:
    from sqlglot import exp

PAIRS_MAX = 4_000_000
"""Above, one side is sampled with all of the other beside it: a table of pairs would cost more than it saves."""

TABLE = "temp.suffice_pairs"
ALIAS = "pair"


@dataclass(frozen=True)
class _Side:
    alias: str
    sql: str
    columns: tuple[str, ...]


def with_pairs(engine: Engine, bound: Bound) -> Bound:
    """`bound` with a model's two sides joined to one relation of pairs; as it was where it is no such join."""
    sides = _sides(engine, bound)
    if sides is None or not _compares(bound, sides):
        return bound
    counts = [int(str(engine.database.rows(f"SELECT count(*) FROM {side.sql}")[0][0])) for side in sides]
    if not 0 < counts[0] * counts[1] <= PAIRS_MAX:
        return bound
    tree = _rewritten(bound.tree, sides, f"{MEDIA_PREFIX}{len(bound.media) + 1}")
    if tree is None:
        return bound
    columns = [f"{s.alias}.{quote(c)} AS {quote(f'{s.alias}__{c}')}" for s in sides for c in s.columns]
    engine.database.rows(
        f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT row_number() OVER () AS {quote(NUMBER)}, {', '.join(columns)}"
        f" FROM {sides[0].sql} {quote(sides[0].alias)} CROSS JOIN {sides[1].sql} {quote(sides[1].alias)}"
    )
    names = tuple(f"{s.alias}__{c}" for s in sides for c in s.columns)
    pairs = MediaTable("pairs", TABLE, (NUMBER, *names), None)
    return replace(bound, tree=tree, media={**bound.media, f"{MEDIA_PREFIX}{len(bound.media) + 1}": pairs})


def in_pairs(expression: str, columns: tuple[str, ...]) -> str:
    """``a.image`` in the text of an expression as the column of the pair it is."""

    def renamed(match: re.Match[str]) -> str:
        name = f"{match.group(1)}__{match.group(2)}".lower()
        return f"{ALIAS}.{quote(name)}" if name in columns else match.group(0)

    return re.sub(r"\b(\w+)\.(\w+)\b", renamed, expression)


def _sides(engine: Engine, bound: Bound) -> tuple[_Side, _Side] | None:
    """The two relations of FROM, when it is a plain join of two stored relations."""
    from sqlglot import exp

    tree = bound.tree
    if not isinstance(tree, exp.Select) or tree.args.get("with_") or not tree.args.get("from_"):
        return None
    joins = tree.args.get("joins") or []
    if len(joins) != 1 or joins[0].side or joins[0].method or joins[0].kind in ("SEMI", "ANTI"):
        return None
    nodes = (tree.args["from_"].this, joins[0].this)
    if joins[0].args.get("using") or not all(isinstance(n, exp.Table) and not n.args.get("joins") for n in nodes):
        return None
    first, second = (_side(engine, bound, node) for node in nodes)
    return (first, second) if first is not None and second is not None else None


def _side(engine: Engine, bound: Bound, node: exp.Table) -> _Side | None:
    from sqlglot import exp

    media = bound.media.get(node.name.lower())
    if media is not None:
        return _Side(node.alias_or_name.lower(), media.table, tuple(c.lower() for c in media.columns))
    if not isinstance(node.this, exp.Identifier) or node.name.startswith("__"):
        return None
    bare = node.copy()
    bare.set("alias", None)
    columns = tuple(engine.describe(bare.sql("duckdb")))
    return _Side(node.alias_or_name.lower(), bare.sql("duckdb"), columns) if columns else None


def _compares(bound: Bound, sides: tuple[_Side, _Side]) -> bool:
    """Whether a model looks at both sides at once."""
    from sqlglot import exp

    wanted = {side.alias for side in sides}
    calls = (n for n in bound.tree.find_all(exp.Anonymous) if number_of(n.name, SCALAR_PREFIX) is not None)
    return any({c.table.lower() for c in call.find_all(exp.Column)} >= wanted for call in calls)


def _rewritten(tree: exp.Expr, sides: tuple[_Side, _Side], placeholder: str) -> exp.Expr | None:
    """The statement over the pairs; None when a column is of neither side, or of both."""
    from sqlglot import exp

    tree = tree.copy()
    assert isinstance(tree, exp.Select)
    owners: Mapping[str, _Side] = {side.alias: side for side in sides}
    for projection in list(tree.expressions):
        if projection.is_star:
            return None
        if isinstance(projection, exp.Column):
            projection.replace(exp.alias_(projection.copy(), projection.name, quoted=True))
    join = tree.args["joins"][0]
    for column in list(tree.find_all(exp.Column)):
        side = owners.get(column.table.lower()) if column.table else _owner(column.name.lower(), sides)
        if side is None or column.name.lower() not in side.columns:
            return None
        column.replace(exp.column(f"{side.alias}__{column.name.lower()}", table=ALIAS))
    tree.set("joins", None)
    tree.set("from_", exp.From(this=exp.Table(this=exp.to_identifier(placeholder), alias=_alias())))
    if join.args.get("on") is not None:
        tree.where(join.args["on"].copy(), copy=False)
    return tree


def _alias() -> exp.TableAlias:
    from sqlglot import exp

    return exp.TableAlias(this=exp.to_identifier(ALIAS))


def _owner(name: str, sides: tuple[_Side, _Side]) -> _Side | None:
    found = [side for side in sides if name in side.columns]
    return found[0] if len(found) == 1 else None
