"""Resolve lock/core.txt (the light core) and lock/test.txt (all extras and the tests) in throw-away environments."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def freeze(extras: str) -> str:
    """What ``pip install .[extras]`` installs, one pin a line, suffice itself and build tags left out."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = f"{folder}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{ROOT}{extras}"], check=True)
        command = [python, "-m", "pip", "freeze", "--exclude", "suffice"]
        frozen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # A build tag such as +cpu is one machine's choice among builds of the same release.
    return "".join(f"{line.partition('+')[0]}\n" for line in frozen.splitlines() if " @ " not in line)


def main() -> int:
    for name, extras in (("core", ""), ("test", "[all,test]")):
        (ROOT / "lock" / f"{name}.txt").write_text(freeze(extras), encoding="utf-8")
        print(f"lock/{name}.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
