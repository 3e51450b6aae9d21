"""Finds a checkpoint: a local folder, or a model of the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suffice.errors import ModelError, UsageError, nearest
from suffice.models.roots import check_readable
from suffice.models.weights import weights_version

CODE_REVISION = 1
SMALL_FILES = ("*.json", "*.txt", "*.model", "*.jinja")
# Copies of the weights for other programs.
OTHER_FORMATS = ("onnx/*", "openvino/*", "coreml/*", "flax_model*", "tf_model*", "rust_model*", "*.msgpack", "*.h5")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose small files are here; :meth:`folder_with_weights` brings the rest.

    Attributes:
        where: its name as the user wrote it, for messages.
        folder: where ``config.json`` is.
        config: what is in it.
        version: commit of the hub, or hash of the local files.
        repo: ``owner/name`` on the hub, None for a local folder.
    """

    where: str
    folder: Path
    config: Mapping[str, Any]
    version: str
    repo: str | None

    def read_json(self, name: str) -> Mapping[str, Any]:
        """The JSON file `name`, or an empty mapping when there is none."""
        path = self.folder / name
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}

    def folder_with_weights(self) -> Path:
        """The folder, weights and all; fetches them from the hub unless they are in its cache."""
        if self.repo is None or self._has_weights():
            return self.folder
        folder = _download(self.where, self.repo, self.folder.name, (*SMALL_FILES, "*.safetensors"))
        if not list(folder.glob("*.safetensors")):
            _download(self.where, self.repo, self.folder.name, ("pytorch_model*.bin",))
        return folder

    def _has_weights(self) -> bool:
        """Whether the weights of this commit are here, so that the hub need not be asked (it may be out of reach)."""
        shards = self.read_json("model.safetensors.index.json").get("weight_map", {"": "model.safetensors"})
        return all((self.folder / name).is_file() for name in shards.values())


def find_checkpoint(locator: str) -> Checkpoint:
    """The checkpoint at `locator`: a folder, or ``owner/name`` or ``owner/name@revision`` on the hub.

    Raises:
        UsageError: a path that is no folder with a ``config.json``.
        ModelError: the hub has no such model, or cannot be reached while the model is not in the cache.
    """
    where = f"hf:{locator}"
    path = Path(locator).expanduser()
    if path.exists() or locator.startswith((".", "/", "~")):
        check_readable(where, path)
    if path.is_dir():
        return _checkpoint(where, path.resolve(), None)
    if locator.startswith((".", "/", "~")) or locator.count("/") > 1:
        siblings = [str(each) for each in path.parent.iterdir() if each.is_dir()] if path.parent.is_dir() else []
        raise UsageError(f"{where}: there is no folder {str(path)!r}{nearest(str(path), siblings)}")
    repo, _, revision = locator.partition("@")
    return _checkpoint(where, _download(where, repo, revision or None, SMALL_FILES), repo)


def _checkpoint(where: str, folder: Path, repo: str | None) -> Checkpoint:
    path = folder / "config.json"
    if not path.is_file():
        raise UsageError(f"{where} has no config.json, so it is not a transformers checkpoint")
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UsageError(f"{where}: config.json is not JSON: {error}") from None
    # The hub's cache keeps each commit in a folder of its name.
    version = f"{folder.name}-{CODE_REVISION}" if repo else weights_version(CODE_REVISION, *_content_files(folder))
    return Checkpoint(where, folder, config, version, repo)


def _content_files(folder: Path) -> list[Path]:
    patterns = (*SMALL_FILES, "*.safetensors", "*.bin")
    return sorted({path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()})


def _download(where: str, repo: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        raise UsageError(f"{where} needs the extra 'torch': pip install 'suffice[torch]'") from None
    reasons: dict[type[Exception], str] = {
        errors.GatedRepoError: "access to it is gated: accept its terms on the hub and set HF_TOKEN",
        errors.RepositoryNotFoundError: "the hub has no such model that you may read (private ones need HF_TOKEN)",
        errors.RevisionNotFoundError: f"it has no revision {revision!r}",
        errors.LocalEntryNotFoundError: "it is not in the local cache and the hub cannot be reached",
        errors.HFValidationError: "a hub model is written owner/name, a folder ./name",
    }
    try:
        commit = _newest_commit(repo, revision)
        found = snapshot_download(
            repo,
            revision=commit or revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(OTHER_FORMATS),
            local_files_only=commit is None,
        )
        return Path(found)
    except Exception as error:
        known = (reason for kind, reason in reasons.items() if isinstance(error, kind))
        raise ModelError(f"{where}: {next(known, str(error).strip().partition(chr(10))[0])}") from None


def _newest_commit(repo: str, revision: str | None) -> str | None:
    """The commit `revision` stands for now; None when the hub cannot be asked, and the cache has to do.

    Asking this first spares who is offline the many retries of a download.
    """
    from huggingface_hub import HfApi, errors

    if revision and re.fullmatch("[0-9a-f]{40}", revision):
        return revision
    try:
        found: str | None = HfApi().model_info(repo, revision=revision, timeout=10).sha
        return found
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError):
        raise
    except Exception:
        return None
