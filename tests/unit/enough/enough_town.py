"""A town of numbered frames with cheap models whose answers are known: each frame has a few people and cars."""

from __future__ import annotations

from function_model import FunctionModel

import suffice

CAP = 12


def people(frame: int) -> list[tuple[str, float]]:
    """(label, score) of what is in a frame: 2 to 8 people that come and go slowly, a car in every ninth frame."""
    count = 5 + round(3 * ((frame // 10 * 37) % 100 / 100 - 0.5)) + (frame * 7) % 3 - 1
    found = [("person", 0.5 + ((frame * 13 + i * 29) % 50) / 100) for i in range(count)]
    return found + [("car", 0.75)] * (frame % 9 == 0)


def town(size: int = 240) -> tuple[suffice.Connection, FunctionModel]:
    """A connection with the table ``frames_seen`` and the models, and the detector, which counts what it was paid."""
    con = suffice.connect(progress=False)
    columns = [("label", "VARCHAR"), ("score", "DOUBLE")]
    detector = FunctionModel(
        "things", people, ["INTEGER"], columns, "rows", rows_max=CAP, ranges={"score": (0.5, 1.0)}
    )  # fmt: skip
    con.register("things", detector)
    con.register("loose", FunctionModel("loose", people, ["INTEGER"], columns, "rows"))
    con.register(
        "glance", FunctionModel("glance", lambda i: [(float(len(people(i))),)], ["INTEGER"], [("n", "DOUBLE")])
    )
    con.register(
        "mood", FunctionModel("mood", lambda i: [("glad" if i % 3 else "sad",)], ["INTEGER"], [("mood", "VARCHAR")])
    )
    con.sql(
        f"CREATE TABLE frames_seen AS SELECT i AS frame, i / 10.0 AS time_s, i // 80 AS part FROM range({size}) r(i)"
    )
    con.sql("CREATE VIEW objects AS SELECT f.*, o.* FROM frames_seen f, things(f.frame) o")
    return con, detector
