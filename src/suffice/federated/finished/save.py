"""A finished run in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from suffice.errors import SufficeError, UsageError, nearest
from suffice.federated.arrays import State
from suffice.federated.finished.page import run_page
from suffice.federated.layout import Layout
from suffice.federated.simulation.report import Report
from suffice.federated.tasks.card import ModelCard
from suffice.federated.tasks.models import build_model

WEIGHTS, REPORT, PAGE = "model.npz", "run.json", "report.html"


@dataclass(frozen=True)
class FinishedRun:
    """A model as its run left it: `weights` are the tensors of its state dict by name."""

    card: ModelCard
    weights: State


def save_run(folder: str | Path, report: Report) -> None:
    """Write the model (.npz, no pickle), the figures (JSON) and the page of a run to `folder`."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    layout = Layout.of(build_model(report.card, 0))
    named = {name: tensor.numpy() for name, tensor in layout.unflatten(report.weights).items()}
    with (place / WEIGHTS).open("wb") as file:
        np.savez(file, allow_pickle=False, **named)
    (place / REPORT).write_text(json.dumps(report.as_json() | {"card": asdict(report.card)}), encoding="utf-8")
    (place / PAGE).write_text(run_page(report), encoding="utf-8")


def load_run(folder: str | Path) -> FinishedRun:
    """The model a run left in `folder`.

    Raises:
        UsageError: there is no finished run.
        SufficeError: its files are damaged.
    """
    place = Path(folder)
    if not (place / WEIGHTS).is_file() or not (place / REPORT).is_file():
        beside = [str(found.parent) for found in place.parent.glob(f"*/{WEIGHTS}")] if place.parent.is_dir() else []
        raise UsageError(f"there is no finished run in {str(folder)!r}{nearest(str(place), beside)}")
    try:
        card = json.loads((place / REPORT).read_text(encoding="utf-8"))["card"]
        with np.load(place / WEIGHTS, allow_pickle=False) as file:
            return FinishedRun(ModelCard(**{**card, "labels": tuple(card["labels"])}), dict(file.items()))
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise SufficeError(f"{folder} is not a finished run: {error}") from None
