"""A slow model that writes a line for each input it was paid for, and a statement that runs it; its own process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import suffice
from suffice.models.protocol import Column, Row, Signature

BATCH = 5
ROWS = 60
QUESTION = "SELECT count(*), sum(doubled(x)) FROM numbers"


class Doubled:
    """x to 2 x; `ledger` is the file with what was paid."""

    signature = Signature(
        "doubled", "1", (Column("x", "BIGINT"),), (Column("y", "BIGINT"),), "scalar", {}, batch_size=BATCH
    )

    def __init__(self, ledger: str, seconds: float) -> None:
        self._ledger, self._seconds = ledger, seconds

    def prepare(self, x: int) -> int:
        return x

    def predict(self, batch: Sequence[Any]) -> list[list[Row]]:
        with open(self._ledger, "a", encoding="utf-8") as file:
            for x in batch:
                time.sleep(self._seconds)
                file.write(f"{x}\n")
                file.flush()
                os.fsync(file.fileno())
        return [[(2 * x,)] for x in batch]


def ask(target: str, ledger: str, seconds: float) -> list[tuple[Any, ...]]:
    with suffice.connect(target, progress=False) as con:
        con.register("doubled", Doubled(ledger, seconds))
        con.sql(f"CREATE TABLE IF NOT EXISTS numbers AS SELECT i AS x FROM range({ROWS}) r(i)")
        return con.sql(QUESTION).fetchall()


if __name__ == "__main__":
    try:
        print(ask(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    except suffice.SufficeError as error:
        print(error)
        sys.exit(1)
