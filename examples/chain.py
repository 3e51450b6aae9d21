"""What do the people in the video wear or carry? frames -> detect -> crop -> classify -> tag, in one statement."""

from __future__ import annotations

from pathlib import Path

import suffice
from suffice.assets import asset_path

QUESTION = """
SELECT crop(f.image, o.x0, o.y0, o.x1, o.y1) AS person, f.time_s, o.score,
       classify(crop(f.image, o.x0, o.y0, o.x1, o.y1)) AS class,
       tag(crop(f.image, o.x0, o.y0, o.x1, o.y1), k => 3) AS tags
FROM frames('{clip}', fps => 0.5) f, detect(f.image) o
WHERE o.label = 'person' AND o.y1 - o.y0 > 90
  AND classify(crop(f.image, o.x0, o.y0, o.x1, o.y1)) IN ('Windsor tie', 'abaya', 'bulletproof vest', 'cloak')
ORDER BY f.time_s, o.score DESC
"""


def ask(folder: Path) -> suffice.Result:
    """People whose class is something worn or carried; only they are tagged."""
    con = suffice.connect(folder / "chain.suffice")
    return con.sql(QUESTION.format(clip=asset_path("pedestrians.mp4")))


def main(folder: Path = Path("out/examples/chain")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = ask(folder)
    found.show()
    found.write_page(folder / "found.html", "Worn or carried", QUESTION)


if __name__ == "__main__":
    main()
