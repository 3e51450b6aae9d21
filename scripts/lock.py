"""Resolve lock/core.txt (the light core) and lock/test.txt (all extras and the tests); nothing is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def resolved(extras: str) -> str:
    """What ``pip install .[extras]`` would install, one pin a line, suffice itself and build tags left out."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--dry-run", "--ignore-installed", "--quiet", "--disable-pip-version-check", "--report", str(report)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, f"{ROOT}{extras}"], check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    pins = {one["metadata"]["name"]: one["metadata"]["version"] for one in found}
    # A build tag such as +cpu is one machine's choice among builds of the same release.
    names = sorted((name for name in pins if name != "suffice"), key=str.lower)
    return "".join(f"{name}=={pins[name].partition('+')[0]}\n" for name in names)


def main() -> int:
    for name, extras in (("core", ""), ("test", "[all,test]")):
        (ROOT / "lock" / f"{name}.txt").write_text(resolved(extras), encoding="utf-8")
        print(f"lock/{name}.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
