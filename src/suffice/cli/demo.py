"""``suffice demo``: the main job, on the clip and the detector that ship."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suffice.cli.output import Json, print_json

if TYPE_CHECKING:
    from suffice.answer.result import Result
    from suffice.connection import Connection

QUESTION = """
SELECT any_value(f.image) AS image, f.time_s, count(*) AS people, round(avg(o.score), 3) AS mean_score
FROM frames('{clip}', fps => 1) f, detect(f.image) o
WHERE o.label = 'person' AND o.score > 0.5
GROUP BY f.frame_index, f.time_s
ORDER BY people DESC, time_s
LIMIT 6
"""


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the database, the picture and the page.")] = Path("out/demo"),
    json: Json = False,
) -> None:
    """When is the street most crowded? Asks the packaged clip with the packaged detector."""
    from suffice.answer.page import page, result_html
    from suffice.assets import asset_path
    from suffice.connection import connect

    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    clip = str(asset_path("pedestrians.mp4")).replace("'", "''")
    query = QUESTION.format(clip=clip)
    with connect(out / "demo.suffice", progress=True) as con:
        if not json:
            print(QUESTION.format(clip="pedestrians.mp4").strip(), file=sys.stderr)
        result = con.sql(query)
        files = {"database": out / "demo.suffice", "picture": out / "crowded.jpg", "page": out / "crowded.html"}
        files["picture"].write_bytes(_sheet(con, result))
        files["page"].write_text(page("When is the street most crowded?", query, result_html(result)), encoding="utf-8")
        if json:
            print_json(
                {
                    "columns": result.columns,
                    "rows": result.fetchall(),
                    "work": result.work.as_json(),
                    "files": {name: str(path) for name, path in files.items()},
                    "seconds": round(time.perf_counter() - started, 3),
                }
            )
            return
        result.show()
        for name, path in files.items():
            print(f"{name:9} {path}")
        print("Run it again: nothing is computed twice.")


def _sheet(con: Connection, result: Result) -> bytes:
    """The found frames side by side, every person in a box; what was detected is asked of the store again."""
    from suffice.answer.sheet import contact_sheet
    from suffice.media.write import draw_boxes, encode_jpeg

    pictures = []
    for image, *_ in result.fetchall():
        people = con.sql(
            f"SELECT x0, y0, x1, y1 FROM detect('{image}') WHERE label = 'person' AND score > 0.5"
        ).fetchall()
        pictures.append(draw_boxes(result.image(image), people))
    return encode_jpeg(contact_sheet(pictures))
