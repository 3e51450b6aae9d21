"""Make the picture of the README: accuracy by virtual time, of bench/results/federated_curves.json.

Needs a Chromium on the PATH.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from suffice.federated.finished.chart import line_chart

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    found = json.loads((ROOT / "bench/results/federated_curves.json").read_text())
    chart = line_chart(f"Test accuracy, one seed (clients {found['regime']})", found["curves"], "virtual hours")
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder) / "p.html", Path(folder) / "p.png"
        style = "<style>body{margin:20px;background:#fff}svg{width:860px;height:auto}</style>"
        page.write_text(f"<meta charset='utf-8'>{style}{chart}")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,540"]
        command = ["chromium", *flags, f"--screenshot={picture}", f"file://{page}"]
        subprocess.run(command, check=True, capture_output=True)
        Image.open(picture).convert("RGB").save(ROOT / "docs/images/federated.jpg", quality=85)


if __name__ == "__main__":
    main()
