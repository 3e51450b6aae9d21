"""``suffice models``"""

from __future__ import annotations

from suffice.cli.output import Json, Target, print_json


def models(db: Target = ":memory:", json: Json = False) -> None:
    """List the models that can be called: inputs, outputs, version, where they come from."""
    from suffice.connection import connect

    with connect(db) as con:
        listed = con.sql("FROM models").fetchall()
        names = con.sql("FROM models LIMIT 0").columns
        if json:
            print_json({"models": [dict(zip(names, row, strict=True)) for row in listed]})
        else:
            con.sql("FROM models").show(len(listed))
