"""What models behind HTTP have cost, kept over processes, so that a cap holds for all of them together."""

from __future__ import annotations

from typing import Any

from suffice.models.http.spend import Spend, Spent
from suffice.models.protocol import Model
from suffice.store.database import Database


class Ledger:
    """The accounts of a store, one a model name; another prompt or other options of it go on the same account."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = f"{database.schema}.spent"

    def balance(self, model: Model) -> None:
        """Write down what `model` spent since last time, and tell it what all have spent under its name."""
        spend: Spend | None = getattr(model, "spend", None)
        if spend is None:
            return
        name = model.signature.name
        self._add(name, spend.take_unkept())
        spend.resume(self.spent(name))

    def spent(self, name: str) -> Spent:
        """Everything ever spent on calls of the model `name`."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            f"SELECT {', '.join(Spent._fields)} FROM {self._table} WHERE model = ?", [name]
        )
        return Spent(*rows[0]) if rows else Spent()

    def close(self, name: str) -> None:
        """The model is dropped: one of that name starts anew."""
        self._database.rows(f"DELETE FROM {self._table} WHERE model = ?", [name])

    def _add(self, name: str, more: Spent) -> None:
        if more == Spent():
            return
        sums = ", ".join(f"{column} = {column} + ?" for column in Spent._fields)
        with self._database.writer.holding(0):
            if not self._database.rows(f"SELECT 1 FROM {self._table} WHERE model = ?", [name]):
                self._database.rows(f"INSERT INTO {self._table} VALUES (?, 0, 0, 0, 0, 0)", [name])
            self._database.rows(f"UPDATE {self._table} SET {sums} WHERE model = ?", [*more, name])
