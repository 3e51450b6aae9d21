"""``PROXY nearest(embedding)``: units that look alike are expected to give alike.

Every unit has an embedding (a cheap model's, kept like any result, or a stored column). A few units that lie far apart
represent the rest: the models are asked about them first, at the price of a call each, and every other unit is scored
by its nearest representatives. Representatives stay in an index from statement to statement, so new media only add
those that the old ones do not cover. Source: TASTI (SIGMOD 2022).
"""

from __future__ import annotations

import math
import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from suffice.answer.engine import Engine
from suffice.answer.proxy_scores import said_of_units
from suffice.answer.unit_sample import UnitSample
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.estimate.representatives import farthest_points, propagated
from suffice.sql.statement import named_options, parse_one
from suffice.sql.units.unit_query import UnitQuery
from suffice.store.vectors.open_index import default_index, open_index
from suffice.store.vectors.protocol import VectorIndex

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

NEIGHBOURS = 4
OUTSIDE = 4
"""So many times as many neighbours are looked up, for some may be of units that this statement does not ask."""

REPRESENTATIVES_MIN, REPRESENTATIVES_MAX = 12, 1000

_CALL = re.compile(r"\s*nearest\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """What ``nearest(…)`` says: the embedding as SQL, how many representatives (None: the root of the number of
    units), and the kind of index."""

    embedding: str
    representatives: int | None
    index: str


@dataclass(frozen=True)
class Likeness:
    """The units (K,) that represent all N, and for each unit its nearest representatives (N, k) and their distances; -1
    where the nearest is none of this statement's units."""

    representatives: Indices
    near: Indices
    distances: Floats
    name: str

    def scores(self, units: Indices, values: Floats) -> Floats:
        """(N,) what the nearest representatives say, where `units` (k,) are known to give `values` (k,)."""
        given = np.full(len(self.near), np.nan)
        given[units] = values
        return propagated(np.where(self.near >= 0, given[self.near], np.nan), self.distances, NEIGHBOURS)


def asked_likeness(proxy: str | None) -> Asked | None:
    """What a PROXY that is ``nearest(embedding)`` asks; None for any other.

    Raises:
        UsageError: it is written otherwise than ``nearest(embedding, representatives => 40, index => 'faiss')``.
    """
    if proxy is None or not _CALL.match(proxy):
        return None
    call = parse_one(f"SELECT {proxy}").expressions[0]
    embedding, *rest = call.expressions or [None]
    options = named_options("PROXY nearest", rest)
    wanted, kind = options.pop("representatives", None), options.pop("index", default_index())
    if embedding is None or options or not (wanted is None or (isinstance(wanted, int) and wanted > 0)):
        raise UsageError(
            f"PROXY {proxy}: it is nearest(embedding), such as nearest(embed(image)), with the options"
            " representatives => 40 and index => 'faiss'"
        )
    return Asked(embedding.sql("duckdb"), wanted, str(kind))


def likeness(
    engine: Engine, query: UnitQuery, asked: Asked, sample: UnitSample, work: Work, representatives_max: int
) -> Likeness:
    """Embed all units and choose representatives, at most `representatives_max` of them; no oracle is asked yet.

    Raises:
        UsageError: the expression is no list of numbers, or its lists are not all of one length.
    """
    import duckdb

    media = query.plan.bound.media[query.relation]
    try:
        rows = said_of_units(engine, media, query.key, query.alias, asked.embedding, "FLOAT[]", sample, work)
    except duckdb.ConversionException:
        rows = []
    vectors = _vectors(asked, sample, rows)
    is_kept = media.version is not None  # rows of a user's table have other numbers each time
    of = f"{media.function} {asked.embedding}"
    index = open_index(asked.index, of, vectors.shape[1], _folder(engine) if is_kept else None)
    wanted = asked.representatives or int(np.clip(math.isqrt(sample.size), REPRESENTATIVES_MIN, REPRESENTATIVES_MAX))
    with closing(index):
        chosen = _represented(index, sample.keys, vectors, min(wanted, representatives_max))
        near, distances = index.nearest(vectors, min(NEIGHBOURS * OUTSIDE, index.ids().size))
    at = np.minimum(np.searchsorted(sample.keys, near), sample.size - 1)
    near = np.where(sample.keys[at] == near, at, -1)
    return Likeness(chosen, near, distances, f"nearest({asked.embedding}), {chosen.size} representatives")


def _represented(index: VectorIndex, keys: Indices, vectors: Vectors, wanted: int) -> Indices:
    """Units (<= `wanted`,) that represent all: those in the index, and where they are too few, more, which it keeps."""
    old = np.flatnonzero(np.isin(keys, index.ids()))[:wanted]
    new = farthest_points(vectors, wanted - old.size, old)
    new = new[~np.isin(keys[new], index.ids())]
    if new.size:
        index.add(keys[new], vectors[new])
    return np.sort(np.append(old, new))


def _vectors(asked: Asked, sample: UnitSample, rows: list[tuple[object, ...]]) -> Vectors:
    """(N, d); a unit without an embedding lies at zero."""
    said = [(unit, value) for unit, value in rows if isinstance(value, list | tuple)]
    widths = {len(value) for _, value in said}
    if len(widths) != 1 or 0 in widths:
        raise UsageError(
            f"PROXY nearest({asked.embedding}): it takes lists of numbers of one length, such as embed(image); this has"
            f" {'no list' if not widths else 'lists of ' + ', '.join(map(str, sorted(widths)[:4]))}"
        )
    vectors = np.zeros((sample.size, widths.pop()), dtype=np.float32)
    vectors[sample.numbers([unit for unit, _ in said])] = np.array([value for _, value in said], dtype=np.float32)
    return np.nan_to_num(vectors)


def _folder(engine: Engine) -> Path | None:
    """Beside the store's file; none for a store in memory or on a server."""
    file = Path(engine.database.target)
    return file.with_name(file.name + ".vectors") if file.is_file() else None
