"""Run every example of the documentation and write down what it prints; with --check compare instead.

In a ```sql block each statement runs (they end with ``;``), in a ```python block the code, in a ```console block
each line after ``$``. A ```text block that follows gets what was printed. One connection and one folder a page, with
the files that `examples/` makes: street.mp4, photos/, scans/, pictures/. After ``<!-- not run: why -->`` a block is
skipped.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md") if "```text" in page.read_text("utf-8")),
)
"""Pages with outputs in them."""
BLOCK = re.compile(r"(<!-- not run: .*? -->\n)?```(\w+)\n(.*?)```\n", re.DOTALL)
WIDTH = 100


def fixtures(folder: Path) -> None:
    sys.path.insert(0, str(ROOT / "examples"))
    import nsfw_folder
    import scans
    import similar

    from suffice.assets import asset_path

    shutil.copy(asset_path("pedestrians.mp4"), folder / "street.mp4")
    nsfw_folder.make(folder / "photos")
    scans.make(folder / "scans")
    similar.make(folder / "pictures")


def steady(text: str) -> str:
    """What differs from run to run, made the same: seconds, dates, folders, trailing blanks."""
    text = re.sub(r"\d+\.\d+ s\b", "0.00 s", text)
    text = re.sub(r"about [\d.]+ ms", "about 0 ms", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "NOW", text)
    text = re.sub(r"\d+\.\d MB on disk", "0.0 MB on disk", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Page:
    def __init__(self, folder: Path) -> None:
        import suffice

        self.con = suffice.connect(folder / "town.suffice", progress=False)
        self.names: dict[str, object] = {"suffice": suffice, "con": self.con}

    def sql(self, text: str) -> str:
        from rich.console import Console

        from suffice.answer.show import print_result

        printed = io.StringIO()
        for statement in [s for s in re.split(r";\s*\n", text + "\n") if s.strip()]:
            result = self.con.sql(statement)
            printed.seek(0)
            printed.truncate()
            print_result(result, 20, Console(file=printed, width=WIDTH))
        return printed.getvalue()

    def python(self, text: str) -> str:
        printed = io.StringIO()
        os.environ["COLUMNS"] = str(WIDTH)
        with contextlib.redirect_stdout(printed):
            exec(compile(text, "documentation", "exec"), self.names)
        return printed.getvalue()

    def console(self, text: str) -> str:
        self.con.close()
        printed = []
        for line in text.splitlines():
            if line.startswith("$ "):
                command = line[2:].replace("suffice", f"{sys.executable} -m suffice", 1)
                environment = {**os.environ, "COLUMNS": str(WIDTH), "PYTHONPATH": str(ROOT / "src")}
                run = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=False)
                printed.append(run.stdout + run.stderr)
        import suffice

        self.con = self.names["con"] = suffice.connect("town.suffice", progress=False)  # type: ignore[assignment]
        return "".join(printed)


def fill(path: Path) -> str:
    """The page with every output as it is now."""
    text, filled, position, last = path.read_text(encoding="utf-8"), [], 0, None
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(temporary)
        fixtures(folder)
        os.chdir(folder)
        page = Page(folder)
        for block in BLOCK.finditer(text):
            filled.append(text[position : block.start()])
            position = block.end()
            skip, kind, body = block.groups()
            if skip is None and kind in ("sql", "python", "console"):
                last = getattr(page, kind)(body)
                filled.append(block.group())
            elif kind == "text" and last is not None and skip is None:
                shown = "\n".join(line.rstrip() for line in last.strip("\n").splitlines()).replace(f"{folder}/", "")
                same = steady(shown) == steady(body)
                filled.append(block.group() if same else f"```text\n{shown}\n```\n")
                last = None
            else:
                filled.append(block.group())
        page.con.close()
        os.chdir(ROOT)
    return "".join(filled) + text[position:]


def main() -> int:
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    stale = []
    for name in arguments or PAGES:
        path = ROOT / name
        now = fill(path)
        if now != path.read_text(encoding="utf-8"):
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(now, encoding="utf-8")
        print(f"{name}: {'changed' if name in stale else 'true'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
