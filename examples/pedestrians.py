"""When is the street most crowded? A video, a detector, one question, and a second one that costs nothing."""

from __future__ import annotations

from pathlib import Path

import suffice
from suffice.assets import asset_path

PEOPLE = """
CREATE OR REPLACE VIEW people AS
SELECT f.frame_index, f.time_s, f.image, o.score, o.x0, o.y0, o.x1, o.y1
FROM frames('{clip}', fps => 0.5) f, detect(f.image) o
WHERE o.label = 'person'
"""
CROWDED = """
SELECT floor(time_s / 10) * 10 AS from_s, count(*) / count(DISTINCT frame_index) AS people_a_frame
FROM people GROUP BY from_s ORDER BY people_a_frame DESC, from_s LIMIT 4
"""
NEAREST = """
SELECT image, time_s, y1 - y0 AS height_px, score, x0, y0, x1, y1
FROM people ORDER BY height_px DESC LIMIT 4
"""


def ask(folder: Path) -> tuple[suffice.Result, suffice.Result]:
    """The most crowded stretches of ten seconds, and the people nearest to the camera."""
    con = suffice.connect(folder / "street.suffice")
    con.sql(PEOPLE.format(clip=asset_path("pedestrians.mp4")))
    return con.sql(CROWDED), con.sql(NEAREST)


def main(folder: Path = Path("out/examples/pedestrians")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    crowded, nearest = ask(folder)
    crowded.show()
    nearest.show()
    nearest.write_page(folder / "nearest.html", "Nearest to the camera", NEAREST)


if __name__ == "__main__":
    main()
