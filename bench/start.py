"""`import suffice` and `suffice --help` in fresh processes, against an empty Python process."""

from __future__ import annotations

import statistics
import subprocess
import sys

from report import save, seconds

TARGETS_S = {"import suffice": 0.3, "suffice --help": 0.5, "python -c pass": None}


def main() -> None:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import suffice": [sys.executable, "-c", "import suffice"],
        "suffice --help": [sys.executable, "-m", "suffice", "--help"],
    }
    rows = []
    for name, command in commands.items():
        times = [seconds(lambda c=command: subprocess.run(c, capture_output=True, check=True)) for _ in range(9)]  # type: ignore[misc]
        rows.append({"what": name, "seconds": statistics.median(times), "target": TARGETS_S[name]})
    save("start", rows)


if __name__ == "__main__":
    main()
