"""All tables of the room: clients a second against Flower's simulation, pfl-research and FedScale's client, a million
registered clients, selectors in virtual time, the control plane, FedScale's defects, pace.

    python bench/federated.py [--only TABLE …] [--models small large] [--clients 100] [--rounds 4] [--repeats 2]
                              [--seeds 5] [--home FOLDER]

Engines: the same data, start, K and rounds; every client is in every round, so accuracies can be compared. Each runs in
a process of its own, the peers in environments of their own (made under --home on first use), all with one thread a
process. They take turns, so that a machine that slows down slows all. The first round, which pays for starting up, is
not counted. Of FedScale its client runs (see peers/fedscale_peer.py); its formulas are held against ours in
tests/unit/federated/test_federated_defects.py, which the table `defects` runs.

Each table is kept as soon as it is measured. About fifteen minutes on two cores, once the environments are made.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import federated_checkin
import federated_pace
import federated_selection
import numpy as np
from report import RESULTS, keep, save

FOLDER = Path(__file__).parent / "peers"
OURS = {"ours, vmap": "vmap 1", "ours, loop": "loop 1", "ours, vmap, 2 processes": "vmap 2"}
PEERS = {
    "pfl-research 0.6.0": ("pfl_peer.py", "pfl", "pfl==0.6.0 torch==2.13.0 numpy"),
    "Flower 1.41.0 (Ray)": ("flower_peer.py", "flwr", "flwr[simulation]==1.41.0 torch==2.13.0 numpy"),
}
MODELS = {"small (64-128-10)": [128], "large (64-1024-1024-10)": [1024, 1024]}
SIZES = {name.partition(" ")[0]: name for name in MODELS}


def make_task(path: Path, clients: int, hidden: list[int]) -> None:
    """A hundred digits a client, as its own hand writes them, and the weights all engines start from."""
    import torch

    from suffice.federated.tasks import DigitsTask

    digits = DigitsTask(clients, gamma=0.5)
    digits.samples = np.full(clients, 100)
    data, test = digits.gather(np.arange(clients)), digits.test()
    torch.manual_seed(0)
    layers = [torch.nn.Linear(a, b) for a, b in zip([64, *hidden], [*hidden, 10], strict=True)]
    start = torch.cat([p.detach().ravel() for layer in layers for p in layer.parameters()]).numpy()
    x, y = data.x.reshape(clients, 100, 64), data.y.reshape(clients, 100)
    np.savez(path, x=x, y=y, test_x=test.x, test_y=test.y, hidden=np.array(hidden), start=start)


def environment(home: Path, name: str, packages: str) -> str:
    """The interpreter of an environment with `packages` and the torch that runs here: the same for all engines."""
    import torch

    python, done = home / name / "bin" / "python", home / name / "done"
    if not done.exists():
        venv.create(home / name, with_pip=True, clear=True)
        (own,) = (home / name / "lib").glob("python*/site-packages")
        (own / "lent.pth").write_text(str(Path(torch.__file__).parents[1]))
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages.split()], check=True)
        done.touch()
    return str(python)


def fedscale(home: Path) -> list[str]:
    """FedScale asks for half of PyPI, of which its client needs one package: those two in a folder beside ours."""
    folder = home / "fedscale"
    if not (folder / "fedscale").exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
        subprocess.run([*command, "fedscale==1.0", "overrides"], check=True)
    return ["env", f"PYTHONPATH={folder}", sys.executable, "fedscale_peer.py"]


def run(command: list[str], task: Path, rounds: int, seconds_max: float) -> dict[str, Any]:
    """What an engine printed, and the memory of its largest process."""
    names = {"FEDERATED_TASK": str(task), "FEDERATED_ROUNDS": str(rounds), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        command, cwd=FOLDER, env={**os.environ, **names}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = running.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        running.terminate()
        out, err = running.communicate()[0], f"not done after {seconds_max:.0f} s"
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        return {"problem": (err.strip().splitlines() or ["no message"])[-1][:160]}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def engines(
    home: Path, model: str, clients: int, rounds: int, repeats: int, seconds_max: float
) -> list[dict[str, Any]]:
    """One row an engine, medians over the repeats."""
    commands = {name: [sys.executable, "federated_ours.py", *arguments.split()] for name, arguments in OURS.items()}
    for name, (script, folder, packages) in PEERS.items():
        commands[name] = [environment(home, folder, packages), script]
    commands["FedScale 1.0, its client"] = fedscale(home)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder_name:
        task = Path(folder_name) / "task.npz"
        make_task(task, clients, MODELS[model])
        for _ in range(repeats):
            for name, command in commands.items():
                found[name].append(run(command, task, rounds, seconds_max))
    return [_row(model, clients, name, answers, found["ours, vmap"]) for name, answers in found.items()]


def _row(
    model: str, clients: int, name: str, answers: list[dict[str, Any]], ours: list[dict[str, Any]]
) -> dict[str, Any]:
    row: dict[str, Any] = {"model": model, "clients_a_round": clients, "engine": name}
    if any("problem" in answer for answer in answers):
        return row | {"problem": next(answer["problem"] for answer in answers if "problem" in answer)}
    for key in ("clients_per_s", "clients_per_cpu_s", "peak_memory_mb", "accuracy"):
        if all(key in answer for answer in answers):
            row[key] = statistics.median(answer[key] for answer in answers)
    pairs = [a["clients_per_s"] / b["clients_per_s"] for a, b in zip(ours, answers, strict=True)]
    return row | {"ours_over_this": statistics.median(pairs)}


def million(rounds: int) -> dict[str, Any]:
    """A million registered clients, a thousand a round, two processes; everything from the command line."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "million.yaml"
        lines = (
            "data_set: synthetic",
            "clients: 1000000",
            "num_participants: 1000",
            "processes: 2",
            "eval_interval: 25",
        )
        config.write_text("\n".join(lines))
        command = [sys.executable, "-m", "suffice", "federate", "run", str(config), "--rounds", str(rounds), "--json"]
        report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {
        "model": "logistic (60-10)",
        "engine": "ours",
        "registered_clients": 1_000_000,
        "clients_a_round": 1000,
        "rounds": rounds,
        "host_s": report["host_s"],
        "clients_per_s": report["clients_per_s"],
        "peak_memory_mb": report["peak_memory_bytes"] / 1e6,
        "accuracy": report["rounds"][-1]["accuracy"],
        "loss": report["rounds"][-1]["loss"],
    }


def defects() -> Iterator[dict[str, Any]]:
    """One row a defect of FedScale: its test shows its formula wrong and ours right."""
    folder = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-rA", "tests/unit/federated/test_federated_defects.py"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    found: dict[str, list[str]] = {}
    for outcome, name in re.findall(r"^(PASSED|FAILED|ERROR) \S+::test_(\d+_\w+)", said, re.MULTILINE):
        found.setdefault(name, []).append(outcome)
    if not found:
        raise RuntimeError(said[-500:])
    for name, outcomes in sorted(found.items(), key=lambda pair: int(pair[0].partition("_")[0])):
        held = outcomes.count("PASSED")
        yield {"defect": name.replace("_", " "), "tests": len(outcomes), "fails_there_passes_here": held}


def measure(table: str, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of a table."""
    if table == "engines":
        clients = {"small": chosen.clients, "large": max(8, chosen.clients // 5)}
        return [
            row
            for size in chosen.models
            for row in engines(
                chosen.home, SIZES[size], clients[size], chosen.rounds, chosen.repeats, chosen.seconds_max
            )
        ]
    if table == "million":
        return [million(100)]
    if table == "selection":
        return list(federated_selection.measure(chosen.seeds))
    if table == "control plane":
        return federated_checkin.measure(5.0)
    return list(defects()) if table == "defects" else federated_pace.measure(150.0, 1)


TABLES = ("engines", "million", "selection", "control plane", "defects", "pace")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--models", nargs="+", choices=tuple(SIZES), default=tuple(SIZES), help="of the table engines")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds-max", type=float, default=240.0)
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "suffice-peers")
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = kept(chosen.only, [SIZES[size] for size in chosen.models])
    for table in chosen.only:
        print(f"{table} …", file=sys.stderr, flush=True)
        rows += [{"table": table, **row} for row in measure(table, chosen)]
        keep("federated", rows)
    save("federated", rows)


def kept(measured_anew: Sequence[str], models: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the tables, and in that of engines of the models, that are not measured this time."""
    file = RESULTS / "federated.json"
    found = json.loads(file.read_text())["rows"] if file.exists() else []
    return [
        row
        for row in found
        if row["table"] not in measured_anew or (row["table"] == "engines" and row["model"] not in models)
    ]


if __name__ == "__main__":
    main()
