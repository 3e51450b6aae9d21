"""What a checkpoint can do, told by its ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suffice.errors import UsageError, nearest

TASKS = (
    "object-detection",
    "zero-shot-object-detection",
    "image-classification",
    "similarity",
    "image-feature-extraction",
    "feature-extraction",
    "text-classification",
)
ALIASES = {"clip": "similarity"}
DUAL_ENCODERS = ("CLIPModel", "SiglipModel", "Siglip2Model", "AltCLIPModel", "ChineseCLIPModel", "MetaClip2Model")
ZERO_SHOT_DETECTORS = (
    "OwlViTForObjectDetection",
    "Owlv2ForObjectDetection",
    "GroundingDinoForObjectDetection",
    "MMGroundingDinoForObjectDetection",
)


def choose_task(where: str, config: Mapping[str, Any], asked: str | None) -> str:
    """The task asked for, or the one the checkpoint was trained for.

    Raises:
        UsageError: the task does not exist, or the checkpoint is for another one, which the message names.
    """
    architecture = str((config.get("architectures") or ["a model without architectures"])[0])
    possible = tasks_of(architecture, config)
    task = ALIASES.get(asked or "", asked)
    if task is not None and task not in TASKS:
        raise UsageError(f"{where}: there is no task {asked!r}{nearest(task, TASKS) or '; tasks: ' + ', '.join(TASKS)}")
    if not possible:
        raise UsageError(f"{where} is {architecture}, which no task here uses (tasks: {', '.join(TASKS)})")
    if task is not None and task not in possible:
        others = " or ".join(map(repr, possible))
        raise UsageError(f"{where} is {architecture}: its task is {others}, not {asked!r}")
    return task or possible[0]


def tasks_of(architecture: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Tasks that a checkpoint has all weights for, its own first."""
    if architecture in DUAL_ENCODERS:
        return ("similarity", "image-feature-extraction", "feature-extraction")
    if architecture in ZERO_SHOT_DETECTORS:
        return ("zero-shot-object-detection",)
    own = {
        "ForObjectDetection": "object-detection",
        "ForImageClassification": "image-classification",
        "ForSequenceClassification": "text-classification",
    }
    trained = tuple(task for ending, task in own.items() if architecture.endswith(ending))
    if trained == ("object-detection",):
        return trained
    base = "feature-extraction" if "vocab_size" in config else "image-feature-extraction"
    return (*trained, base) if trained or architecture.endswith(("Model", "ForMaskedLM")) else ()
