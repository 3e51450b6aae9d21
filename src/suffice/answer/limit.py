"""LIMIT k: walk the media in order, a prefix at a time, until the answer has its rows."""

from __future__ import annotations

from dataclasses import replace

from suffice.answer.engine import Engine
from suffice.answer.materialise import Materialiser
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.rewrite.early_limit import Walk
from suffice.sql.sparse import plan_sparsely
from suffice.sql.units.unit_query import key_of

GROWTH_MAX = 4.0
MARGIN = 1.2


def answer_limited(engine: Engine, bound: Bound, walk: Walk, materialiser: Materialiser) -> str:
    """Materialise as few rows of ``walk.media`` as the LIMIT needs; the SQL of the answer over them."""
    media = bound.media[walk.media]
    ((total,),) = engine.database.rows(f"SELECT count(*) FROM {media.table}")
    population, prefix = int(str(total)), max(walk.rows, 1)
    while True:
        sliced = _slice(engine, bound, walk, prefix)
        materialiser.run(plan_sparsely(sliced, engine.describe))
        sql = answer_sql(sliced)
        if prefix >= population:
            return sql
        ((found,),) = engine.database.rows(f"SELECT count(*) FROM ({_without_offset(sliced)})")
        if int(str(found)) >= walk.rows:
            return sql
        prefix = _next_prefix(prefix, int(str(found)), walk.rows)


def _next_prefix(prefix: int, found: int, wanted: int) -> int:
    """As far as the yield so far says, but never more than ``GROWTH_MAX`` times as far."""
    guess = prefix * wanted / found * MARGIN if found else prefix * GROWTH_MAX
    return int(min(max(guess, prefix + 1), prefix * GROWTH_MAX))


def _slice(engine: Engine, bound: Bound, walk: Walk, rows: int) -> Bound:
    """`bound` over the first `rows` rows of the walk, all that tie with the last of them included."""
    media = bound.media[walk.media]
    table = "temp.suffice_slice"
    chosen = (
        f"QUALIFY rank() OVER (ORDER BY {walk.order_sql}) <= {rows} ORDER BY {walk.order_sql}, {key_of(media)}"
        if walk.order_sql
        else f"LIMIT {rows}"
    )
    engine.database.rows(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM {media.table} {chosen}")
    return replace(bound, media={**bound.media, walk.media: replace(media, table=table, version=None)})


def _without_offset(bound: Bound) -> str:
    """The answer with LIMIT and OFFSET added up, to count whether there are rows enough."""
    tree = bound.tree.copy()
    tree.set("limit", None)
    tree.set("offset", None)
    return answer_sql(replace(bound, tree=tree))
