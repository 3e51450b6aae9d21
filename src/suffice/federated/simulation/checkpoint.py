"""Stop and go on, bit for bit."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import State
from suffice.federated.simulation.report import RoundRecord
from suffice.federated.simulation.state import Run

_SCALARS = ("clock_s", "sampling_rate_max", "draws")


def save_checkpoint(run: Run, path: str | Path) -> None:
    """Write the run after a step to `path`, an .npz without pickles, in one rename."""
    parts = {"server": run.server.state(), "selector": run.selector.state(), "queue": run.queue.state()}
    arrays = {f"{part}/{name}": value for part, state in parts.items() for name, value in state.items()}
    arrays |= {f"weights_of/{version}": weights for version, weights in run.weights_of.items()}
    notes = {name: getattr(run, name) for name in _SCALARS}
    notes |= {"settings": _settings(run), "method": run.cohort.method, "records": [asdict(r) for r in run.records]}
    arrays |= {"counts": run.counts, "notes": np.array(json.dumps(notes))}
    temporary = Path(f"{path}.{os.getpid()}.part")
    with temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def load_checkpoint(path: str | Path) -> tuple[State, dict[str, object]]:
    """Arrays and notes of a checkpoint; raises :class:`SufficeError` when `path` is not one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(str(arrays.pop("notes")))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise SufficeError(f"{path} is not a checkpoint: {error}") from None


def resume(run: Run, arrays: State, notes: dict[str, object], path: str | Path) -> None:
    """Put `run`, freshly assembled, where the checkpoint stood; raises when it was of another run."""
    for name, value in _settings(run).items():
        if notes["settings"].get(name) != value:  # type: ignore[attr-defined]
            raise SufficeError(f"{path} is of another run: {name} was {notes['settings'].get(name)!r}, now {value!r}")  # type: ignore[attr-defined]
    for part, held in (("server", run.server), ("selector", run.selector), ("queue", run.queue)):
        held.restore({k.partition("/")[2]: v for k, v in arrays.items() if k.startswith(part + "/")})
    named = {k.partition("/")[2]: v for k, v in arrays.items() if k.startswith("weights_of/")}
    run.weights_of = {int(version): weights.astype(np.float64) for version, weights in named.items()}
    run.counts = arrays["counts"].astype(np.int64)
    for name in _SCALARS:
        setattr(run, name, notes[name])
    run.records = [RoundRecord(**record) for record in notes["records"]]  # type: ignore[attr-defined]
    run.began_s -= run.records[-1].host_s if run.records else 0.0


def _settings(run: Run) -> dict[str, object]:
    """What must not change between the halves of a run: all but its length and how the host computes it."""
    free = ("rounds", "processes", "threads", "method", "ray")
    return json.loads(json.dumps({k: v for k, v in asdict(run.config).items() if k not in free}))  # type: ignore[no-any-return]
