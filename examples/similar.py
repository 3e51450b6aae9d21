"""Which pictures are copies of one another, though turned, cut or recompressed?"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from sources import photographs

import suffice

QUESTION = """
SELECT a.image AS image, b.image AS nearest, a.path, b.path AS nearest_path,
       array_cosine_similarity(embed(a.image), embed(b.image)) AS cosine
FROM images('{folder}/*') a JOIN images('{folder}/*') b ON a.path <> b.path
QUALIFY row_number() OVER (PARTITION BY a.path ORDER BY cosine DESC) = 1
ORDER BY cosine DESC, a.path
"""
NAMES = ("astronaut", "chelsea", "coffee", "rocket")


def make(folder: Path) -> None:
    """Four photographs, a small turned JPEG of one, a darker mirror image of another, a cut of a third."""
    folder.mkdir(parents=True, exist_ok=True)
    photographs(folder, NAMES)
    chelsea, coffee, rocket = (Image.open(folder / f"{name}.png") for name in NAMES[1:])
    chelsea.rotate(8, fillcolor="grey").resize((200, 133)).save(folder / "chelsea_turned.jpg", quality=60)
    coffee.transpose(Image.Transpose.FLIP_LEFT_RIGHT).point(lambda level: level * 0.8).save(folder / "coffee_dark.png")
    rocket.crop((60, 20, 600, 400)).save(folder / "rocket_cut.jpg", quality=80)


def ask(folder: Path) -> suffice.Result:
    """For each picture the nearest other one."""
    return suffice.connect(folder.parent / "similar.suffice").sql(QUESTION.format(folder=folder))


def main(folder: Path = Path("out/examples/similar/pictures")) -> None:
    make(folder)
    pairs = ask(folder)
    pairs.show()
    pairs.write_page(folder.parent / "pairs.html", "Nearest pictures", QUESTION)


if __name__ == "__main__":
    main()
