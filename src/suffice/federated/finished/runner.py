"""``CREATE MODEL name USING 'federated:RUN'``: the model of a finished run as a function in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suffice.errors import ModelError
from suffice.federated.arrays import Floats32
from suffice.federated.finished.save import REPORT, WEIGHTS, load_run
from suffice.models.batch_model import BatchModel
from suffice.models.lazy import Lazy
from suffice.models.options import read_options
from suffice.models.protocol import IMAGE, Column, Model, Row, Signature
from suffice.models.roots import check_readable
from suffice.models.weights import weights_version

if TYPE_CHECKING:
    import torch

    from suffice.federated.tasks.card import ModelCard

_CODE_REVISION = 1
_TYPES = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "VARCHAR"}


def federated(name: str, place: str, **options: Any) -> Model:
    """The model in the folder `place`, which ``suffice federate run CONFIG --out FOLDER`` wrote. Takes no options.

    Its argument is a picture when it was trained on pictures, else a list of numbers; its value is the likeliest label,
    or the number of a regression.

    Raises:
        UsageError: there is no finished run in `place`, or it is outside the roots models may come from.
    """
    read_options(name, {}, options)
    folder = Path(place).expanduser()
    check_readable(f"federated:{place}", folder)
    card = load_run(folder).card
    signature = Signature(
        name=name,
        version=weights_version(_CODE_REVISION, folder / WEIGHTS, folder / REPORT),
        inputs=(Column("image", IMAGE) if card.picture_side else Column("sample", "DOUBLE[]"),),
        outputs=(Column("label", _TYPES[type(card.labels[0])]) if card.labels else Column("value", "DOUBLE"),),
        returns="scalar",
        options={},
        batch_size=256,
        cost_s=1e-4,
    )
    module = Lazy(partial(_module, folder))
    return BatchModel(signature, partial(_prepare, card), partial(_predict, card, module))


def _module(folder: Path) -> torch.nn.Module:
    import torch

    from suffice.federated.tasks.models import build_model

    found = load_run(folder)
    module = build_model(found.card, 0)
    module.load_state_dict({name: torch.from_numpy(value) for name, value in found.weights.items()})
    return module.eval()


def _prepare(card: ModelCard, value: Any) -> Floats32:
    if card.picture_side:
        return _grey(value, card.picture_side)
    sample = np.asarray(value, dtype=np.float32).ravel()
    if len(sample) != card.inputs:
        raise ModelError(f"expected a list of {card.inputs} numbers, got {len(sample)}")
    return sample


def _grey(image: Any, side: int) -> Floats32:
    from PIL import Image

    grey = Image.fromarray(image).convert("L").resize((side, side), Image.Resampling.BOX)
    return (np.asarray(grey, dtype=np.float32) / np.float32(255.0)).ravel()


def _predict(card: ModelCard, module: Lazy[torch.nn.Module], batch: Sequence[Floats32]) -> list[list[Row] | Exception]:
    import torch

    with torch.no_grad():
        output = module()(torch.from_numpy(np.stack(batch))).numpy()
    return [_row(card, values) for values in output]


def _row(card: ModelCard, values: Floats32) -> list[Row] | Exception:
    if not np.isfinite(values).all():
        return ModelError("the model gives numbers that are not finite")
    return [(card.labels[int(values.argmax())] if card.labels else float(values[0]),)]
