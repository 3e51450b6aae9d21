"""Make the pictures of the README from real runs: python scripts/readme_pictures.py"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT / "examples"))

import chain  # noqa: E402
import nsfw_folder  # noqa: E402
import pedestrians  # noqa: E402
import scans  # noqa: E402
import similar  # noqa: E402

from suffice import Result  # noqa: E402
from suffice.answer.pictures import picture, picture_columns  # noqa: E402
from suffice.answer.sheet import contact_sheet  # noqa: E402
from suffice.media.write import encode_jpeg  # noqa: E402


def save(name: str, result: Result, columns: int, width_px: int, rows: int = 12) -> None:
    """The pictures of a result side by side."""
    head = result.head(rows)
    where = picture_columns(result.columns, head)
    pictures = [picture(result, row, column, width_px) for row in head for column in where]
    (IMAGES / f"{name}.jpg").write_bytes(encode_jpeg(contact_sheet(pictures, columns, width_px), 80))
    print(f"docs/images/{name}.jpg")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        subprocess.run([sys.executable, "-m", "suffice", "demo", "--out", "demo", "--json"], check=True)
        (IMAGES / "crowded.jpg").write_bytes(Path("demo/crowded.jpg").read_bytes())
        for example in (nsfw_folder, scans, similar):
            example.make(Path(example.__name__) / "files")
        save("pedestrians", pedestrians.ask(Path("."))[1], 4, 320)
        save("chain", chain.ask(Path(".")), 8, 130, 16)
        save("nsfw_folder", nsfw_folder.ask(Path("nsfw_folder/files"))[0], 7, 180)
        save("scans", scans.ask(Path("scans/files")), 3, 400)
        save("similar", similar.ask(Path("similar/files")), 4, 240, 6)


if __name__ == "__main__":
    main()
