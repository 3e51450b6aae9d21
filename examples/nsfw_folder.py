"""Which pictures of a folder are safe to show? A broken file is reported, not skipped in silence."""

from __future__ import annotations

from pathlib import Path

from sources import photographs

import suffice

QUESTION = """
SELECT path, image, nsfw(image) AS nsfw, CASE WHEN nsfw(image) < 0.2 THEN 'show' ELSE 'look at it first' END AS verdict
FROM images('{folder}/*.png') ORDER BY nsfw DESC
"""
PROBLEMS = "SELECT path, message FROM problems"
NAMES = ("astronaut", "camera", "chelsea", "coffee", "hubble_deep_field", "retina", "rocket")


def make(folder: Path) -> None:
    """Seven harmless photographs, and a file that is no picture."""
    folder.mkdir(parents=True, exist_ok=True)
    photographs(folder, NAMES)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then the disk was full")


def ask(folder: Path) -> tuple[suffice.Result, suffice.Result]:
    """The verdict on each picture, and the files that could not be judged."""
    con = suffice.connect(folder / "folder.suffice")
    return con.sql(QUESTION.format(folder=folder)), con.sql(PROBLEMS)


def main(folder: Path = Path("out/examples/nsfw_folder")) -> None:
    make(folder)
    verdicts, problems = ask(folder)
    verdicts.show()
    problems.show()
    verdicts.write_page(folder / "verdicts.html", "Safe to show?", QUESTION)


if __name__ == "__main__":
    main()
