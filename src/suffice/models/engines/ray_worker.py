"""What runs inside a Ray actor: the local way to run a model, with one thread that predicts, asked batch by batch.

Pixels never travel: the actor gets references and where their files are, and decodes what it needs itself.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

from suffice.errors import MediaError, ModelError
from suffice.media.load import Located
from suffice.media.meter import Meter, metering
from suffice.models.protocol import Model
from suffice.models.recipe import Recipe
from suffice.models.roots import allowed_roots
from suffice.models.run import Arguments, Outcome, StageSeconds, run_model

Files = Mapping[str, Located | MediaError]
"""Content hash to where the file is, or why it cannot be found."""


@dataclass(frozen=True)
class Stretch:
    """Inputs that follow each other in their files, and the roots, folder and module paths of whoever asks."""

    inputs: Sequence[Arguments]
    roots: tuple[str, ...] | None
    folder: str
    module_paths: tuple[str, ...]


@dataclass(frozen=True)
class Batch:
    """Outcomes (positions count within the stretch), and what they cost."""

    outcomes: list[Outcome]
    prepare_s: float
    predict_s: float
    bytes_read: int


class RayWorker:
    """An actor: models it has made stay, so weights load once."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._batches: Generator[list[Outcome], None, None] | None = None
        self._seconds, self._meter = StageSeconds(), Meter()

    def begin(self, key: str, recipe: bytes, files: Files, stretch: Stretch) -> Batch | None:
        """Take up a stretch, whatever there was before; gives its first batch."""
        if self._batches is not None:
            self._batches.close()
        self._seconds, self._meter = StageSeconds(), Meter()
        if key not in self._models:
            with _as_at_home(stretch):
                self._models[key] = _unpacked(recipe).build()
        with metering(self._meter):
            self._batches = run_model(
                self._models[key],
                stretch.inputs,
                partial(_located, files),
                self._seconds,
                has_worked=True,
                workers=1,
            )
            return self.more()

    def more(self) -> Batch | None:
        """The next batch; None at the end. The one before counts as written down."""
        assert self._batches is not None
        outcomes = next(self._batches, None)
        if outcomes is None:
            return None
        told = Batch(
            [_sendable(one) for one in outcomes], self._seconds.prepare, self._seconds.predict, self._meter.bytes_read
        )
        self._seconds.prepare = self._seconds.predict = 0.0
        self._meter.bytes_read = 0
        return told


def _as_at_home(stretch: Stretch) -> AbstractContextManager[None]:
    """Roots, working folder and modules of the process that asks, as far as they are on this machine too."""
    if os.path.isdir(stretch.folder):
        os.chdir(stretch.folder)
    sys.path += [path for path in stretch.module_paths if path not in sys.path]
    return nullcontext() if stretch.roots is None else allowed_roots(stretch.roots)


def _located(files: Files, file_hash: str) -> Located:
    found = files[file_hash]
    if isinstance(found, MediaError):
        raise found
    return found


def _unpacked(recipe: bytes) -> Recipe:
    """Ray's own channel between processes of one user carries it."""
    try:
        made: Recipe = pickle.loads(recipe)
    except Exception as error:
        raise ModelError(f"a model cannot be made on {socket.gethostname()}: {error}") from None
    return made


def _sendable(outcome: Outcome) -> Outcome:
    """An outcome whose error survives the way; what does not is told in words."""
    if outcome.error is None:
        return outcome
    try:
        pickle.loads(pickle.dumps(outcome.error))
    except Exception:
        return replace(outcome, error=ModelError(f"{type(outcome.error).__name__}: {outcome.error}"))
    return outcome
