"""The model service against the runner in the process, the studio's API under many callers, its first screen.

Service: the same SQL over the same pictures, detect() in the process and behind ``suffice serve models`` on this
machine; and one input at a time, over HTTP and called. Both sides decode the same JPEG files. Load: --clients callers
for --seconds, most asking what is kept, some asking new questions, looking at pictures or listing.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from report import in_turn, kept, ratio, save

import suffice
from suffice.assets import asset_path
from suffice.media.image import decode_image


@contextmanager
def serving(*arguments: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a server."""
    command = [sys.executable, "-m", "suffice", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield process.stderr.readline().rsplit(" ", 1)[1].strip(), process.pid
    finally:
        process.terminate()
        process.wait(20)


def pictures(folder: Path, count: int) -> None:
    with suffice.connect(progress=False) as con:
        query = f"SELECT image FROM frames('{asset_path('pedestrians.mp4')}') LIMIT {count}"
        for number, (reference,) in enumerate(con.sql(query).fetchall()):
            Image.fromarray(con.image(reference)).save(folder / f"{number:04}.jpg", quality=90)


def service(folder: Path, rounds: int) -> list[dict[str, Any]]:
    with serving("models", "detect", folder=folder) as (address, _):
        url = f"{address}/models/detect"

        def ask(create: str | None, name: str) -> list[Any]:
            with suffice.connect(progress=False) as con:
                if create:
                    con.sql(create)
                return con.sql(f"SELECT path, o.* FROM images('{folder}/*.jpg') i, {name}(i.image) o").fetchall()

        create = f"CREATE MODEL far USING 'http:{url}' (concurrency => 2)"
        near_rows, far_rows = ask(None, "detect"), ask(create, "far")
        a, b = in_turn(lambda: ask(create, "far"), lambda: ask(None, "detect"), rounds)
        lone = overhead_s(url, sorted(folder.glob("*.jpg"))[:40])
    return [
        {
            "what": "throughput over HTTP / in the process",
            "value": 1 / ratio(a, b),
            "target": 0.9,
            "rows": len(near_rows),
            "rows_equal": sorted(near_rows) == sorted(far_rows),
        },
        {"what": "p50 overhead of one input, ms", "value": 1000 * statistics.median(lone), "target": 3.0},
    ]


def overhead_s(url: str, files: list[Path]) -> list[float]:
    """Seconds over HTTP minus seconds in the process, input by input, in turn."""
    from suffice.models.detect import detect

    model, found = detect(), []
    with httpx.Client() as client:
        for file in files:
            data = file.read_bytes()
            started = time.perf_counter()
            client.post(url, content=data, headers={"content-type": "image/jpeg"}).raise_for_status()
            far = time.perf_counter() - started
            started = time.perf_counter()
            model.predict([model.prepare(decode_image(str(file)))])
            found.append(far - (time.perf_counter() - started))
    return found[5:]


KEPT = "SELECT count(*) AS people FROM frames('clip.mp4', fps => 0.2) f, detect(f.image) o WHERE o.label = 'person'"


def load(folder: Path, clients: int, seconds: float) -> list[dict[str, Any]]:
    (folder / "clip.mp4").write_bytes(asset_path("pedestrians.mp4").read_bytes())
    with serving(folder=folder) as (address, pid):
        with httpx.Client(base_url=address, timeout=60) as client:
            client.post("/api/sql", json={"query": KEPT, "wait_s": 30}).raise_for_status()
            query = "SELECT image FROM frames('clip.mp4', fps => 0.2)"
            references = [row[0] for row in client.post("/api/sql", json={"query": query}).json()["result"]["rows"]]
        before = resident_bytes(pid)
        stop, lock = time.monotonic() + seconds, threading.Lock()
        times: dict[str, list[float]] = {}
        codes: dict[int, int] = {}
        shared = (stop, references, times, codes, lock)
        started = [threading.Thread(target=caller, args=(address, n, *shared)) for n in range(clients)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        after = resident_bytes(pid)
    times_s = times["kept"]
    return [
        {
            "what": f"{clients} callers for {seconds:.0f} s, p99 of kept questions, ms",
            "value": 1000 * float(np.percentile(times_s, 99)),
            "target": 300.0,
            "p50_ms": 1000 * statistics.median(times_s),
            "requests": sum(codes.values()),
            "refused_429": codes.get(429, 0),
            "errors": sum(count for code, count in codes.items() if code >= 400 and code != 429),
            "memory_before_mb": before / 1e6,
            "memory_after_mb": after / 1e6,
        }
    ]


def caller(
    address: str,
    number: int,
    stop: float,
    references: list[str],
    times: dict[str, list[float]],
    codes: dict[int, int],
    lock: threading.Lock,
) -> None:
    """One browser or program: asks, thinks for some seconds, asks again."""
    chance = random.Random(number)
    with httpx.Client(base_url=address, timeout=60, verify=False) as client:  # plain HTTP: no certificates to load
        time.sleep(chance.uniform(0, 5))
        while time.monotonic() < stop:
            kind = chance.choices(("kept", "image", "list", "new"), (60, 25, 10, 5))[0]
            begun = time.perf_counter()
            if kind == "kept":
                code = client.post("/api/sql", json={"query": KEPT}).status_code
            elif kind == "image":
                code = client.get("/api/image", params={"ref": chance.choice(references), "max_px": 320}).status_code
            elif kind == "list":
                code = client.get(chance.choice(("/api/words", "/api/jobs", "/api/files"))).status_code
            else:
                code = client.post("/api/sql", json={"query": f"SELECT {chance.random()} AS x"}).status_code
            took = time.perf_counter() - begun
            with lock:
                times.setdefault(kind, []).append(took)
                codes[code] = codes.get(code, 0) + 1
            time.sleep(chance.uniform(4, 12))


def first_screen(folder: Path) -> list[dict[str, Any]]:
    """From the first request to a server just started to a question one can press, in a browser never there before."""
    from playwright.sync_api import sync_playwright

    chromium = next(found for name in ("chromium", "chromium-browser") if (found := shutil.which(name)))
    (folder / "clip.mp4").write_bytes(asset_path("pedestrians.mp4").read_bytes())
    with sync_playwright() as playwright, serving(folder=folder) as (address, _):
        page = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page()
        started = time.perf_counter()
        page.goto(address)
        page.get_by_role("button", name="When is the street most crowded?").wait_for()
        page.get_by_role("button", name="Run").click(trial=True)
        took = time.perf_counter() - started
    return [{"what": "first usable screen of a cold server and browser, s", "value": took, "target": 2.0}]


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


PARTS = ("screen", "service", "load")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these again; the others are kept")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600)
    chosen = parser.parse_args()
    rows = [row for row in kept("serve") if row["part"] not in chosen.only]
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        for part in chosen.only:
            if part == "screen":
                found = first_screen(Path(second))
            elif part == "service":
                pictures(Path(first), chosen.pictures)
                found = service(Path(first), chosen.rounds)
            else:
                found = load(Path(second), chosen.clients, chosen.seconds)
            rows += [{"part": part, **row} for row in found]
    save("serve", sorted(rows, key=lambda row: PARTS.index(row["part"])))


if __name__ == "__main__":
    main()
