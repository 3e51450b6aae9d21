"""Copies of tables ordered by a hash of a join key: equal keys lie at equal places of the order in every table.

A run of consecutive keys is a random sample of keys, and the rows of other tables with the same keys lie within one
range of hashes. So both sides of a join are read in part, and what one key adds to a sum over the join is one unit,
whichever sides hold a key many times. How many rows a key has at most is counted when a copy is made.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from suffice.store.database import literal, quote
from suffice.tables.fingerprint import fingerprint
from suffice.tables.growing_run import GrowingRun, sizes_of
from suffice.tables.reader import Reader, plain_name
from suffice.tables.run_sql import part_sql
from suffice.tables.scramble import Catalogued
from suffice.tables.source import PART, SID, UNIT, Drawn, Range
from suffice.tables.store_rows import store_rows

HASH = "__hash"
"""Column of such a copy: the hash of the key. :data:`SID` is the number of the key in the order."""

_PILOT_LEAST, _PILOT_MOST, _PILOT_SHARE = 512, 32_768, 0.05


@dataclass(frozen=True)
class KeyCatalogued(Catalogued):
    """A copy as the store knows it; `rows` are those whose key is not NULL.

    Attributes:
        key: the column.
        keys: how many different ones there are.
        rows_per_key_max: the most rows of one key.
        mix: what hashes depend on besides: type of the key and seed; only equal ones go together.
    """

    key: str
    keys: int
    rows_per_key_max: int
    mix: str


@dataclass
class KeyScramble:
    """Two such copies as a :class:`suffice.tables.source.Source`: keys are drawn from one, rows of both are read.

    Attributes:
        beside: the copy of the other table, its rows named by :data:`suffice.tables.source.Drawn.beside_sql`.
    """

    reader: Reader
    known: KeyCatalogued
    beside: KeyCatalogued
    beside_columns: Sequence[str] = ()
    share_max: float = 0.3
    method: str = "keys of a join, by their hash"
    assumptions: tuple[str, ...] = ("the hash that ordered the keys has nothing to do with the values",)
    run: GrowingRun = field(init=False)

    def __post_init__(self) -> None:
        self.run = GrowingRun(0, self.units, self.share_max, self.pilot_units)

    @property
    def rows(self) -> int:
        return self.known.rows

    @property
    def units(self) -> int:
        return self.known.keys

    @property
    def rows_per_unit_max(self) -> int:
        return self.known.rows_per_key_max

    @property
    def pilot_units(self) -> int:
        """See :class:`suffice.tables.source.Source`."""
        return min(_PILOT_MOST, max(_PILOT_LEAST, int(_PILOT_SHARE * self.units)))

    def column_range(self, column: str) -> Range | None:
        """See :meth:`suffice.tables.source.Source.column_range`."""
        return self.known.ranges.get(column.lower())

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """See :class:`suffice.tables.growing_run.GrowingRun`."""
        self.run.start(seed, columns)

    def draw(self, sizes: Sequence[int]) -> Drawn:
        """The next keys of the run."""
        runs = self.run.take(sizes)
        first, end = runs[0][1], runs[-1][2]
        names = "".join(f"{quote(c)}, " for c in self.run.columns)
        inside = f"FROM {self.known.copy_sql} WHERE {SID} >= {first} AND {SID} < {end}"
        relation = f"(SELECT {names}{part_sql(runs)} AS {PART}, {SID} AS {UNIT} {inside})"
        low, high = (self._hash_of(number) for number in (first, end - 1))
        others = ", ".join(quote(c) for c in self.beside_columns)
        alike = f"{HASH} >= {low}::UBIGINT AND {HASH} <= {high}::UBIGINT"
        beside = f"(SELECT {others} FROM {self.beside.copy_sql} WHERE {alike})"
        rows = (end - first) * (self.rows / self.units + self.beside.rows / self.units)
        return Drawn(relation, sizes_of(runs), int(rows), beside)

    def _hash_of(self, number: int) -> int:
        return int(self.reader.rows(f"SELECT {HASH} FROM {self.known.copy_sql} WHERE {SID} = {number} LIMIT 1")[0][0])


def key_scramble(
    reader: Reader, tables: tuple[str, str], keys: tuple[str, str], beside_columns: Sequence[str]
) -> KeyScramble | None:
    """Of two tables as SQL, the first of which is drawn from, on their key columns; None unless both have a copy that
    is fresh and hashed alike."""
    known, beside = (fresh_key_copy(reader, name, key) for name, key in zip(tables, keys, strict=True))
    if known is None or beside is None or known.mix != beside.mix or not known.keys:
        return None
    return KeyScramble(reader, known, beside, beside_columns)


def key_catalogue_sql(reader: Reader) -> str:
    """The store's table of such copies."""
    return f"{reader.database.schema}.key_scrambles"


def has_key_copies(reader: Reader) -> bool:
    """Of any table."""
    return bool(store_rows(reader, f"SELECT 1 FROM {key_catalogue_sql(reader)} LIMIT 1"))


def key_copy_sql(reader: Reader, name: str, key: str) -> str:
    return f"{reader.database.schema}.{quote(f'scramble_{name}_by_{key}')}"


def catalogued_keys(reader: Reader, name_sql: str) -> list[KeyCatalogued]:
    """The copies of a table that the store knows."""
    fields = "name, fingerprint, row_count, ranges, key, keys, rows_per_key_max, mix"
    found = store_rows(
        reader, f"SELECT {fields} FROM {key_catalogue_sql(reader)} WHERE name = {literal(plain_name(name_sql))}"
    )
    return [
        KeyCatalogued(
            name, key_copy_sql(reader, name, key), mark, rows, 0, json.loads(ranges), (), key, keys, most, mix
        )
        for name, mark, rows, ranges, key, keys, most, mix in found
    ]


def fresh_key_copy(reader: Reader, name_sql: str, key: str) -> KeyCatalogued | None:
    """The copy of a table by a column, or None when there is none or the table has changed since."""
    for known in catalogued_keys(reader, name_sql):
        if known.key == key.lower() and known.fingerprint == fingerprint(reader, name_sql):
            return known
    return None
