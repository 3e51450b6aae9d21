"""Everything a run can be told, under the names FedScale's YAML files use."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path
from typing import Any

from suffice.errors import SufficeWarning, UsageError, nearest

MODES = ("sync", "async", "semi")
POLICIES = ("fed-avg", "fed-avgm", "fed-adam", "fed-yogi", "fed-prox", "q-fedavg", "scaffold")
PRIVACY = ("none", "central", "local")
DATA_SETS = ("synthetic", "linear", "digits", "csv", "sql")
_CHOOSE_BY_LOSS = ("oort", "oort_fedscale", "power_of_choice")


_AT_LEAST = {
    1: """clients num_participants max_concurrency batch_size eval_interval processes threads epochs rounds reports_min
    overcommitment""",
    0: """seed local_steps filter_less max_staleness hostile secure_threshold momentum weight_decay proxy_mu qfed_q
    noise_factor alpha beta""",
}
_ABOVE_ZERO = (
    "learning_rate",
    "server_learning_rate",
    "gamma",
    "deadline_s",
    "period_s",
    "update_norm_max",
    "clip_threshold",
    "privacy_delta",
    "reference_flops",
)
_UNBOUNDED = ("deadline_s", "update_norm_max")


@dataclass(frozen=True)
class FederatedConfig:
    """One federated run. Names marked * are FedScale's.

    Attributes:
        data_set*: ``synthetic`` (Synthetic(`alpha`, `beta`)), ``linear``, ``digits`` (Dirichlet `gamma`) or ``csv``
            (`data_map_file`*, columns client_id, sample, label), or ``sql``: the same columns of `data_query` asked of
            the database `data_db`.
        clients: how many are registered (the file decides for ``csv``); those of fewer than `filter_less`* samples
            are left out.
        device_conf_file*, device_avail_file*: FedScale's pickles; without them devices are synthetic.
        num_participants*: reports that close a round (the buffer size when `mode` is ``async``).
        overcommitment*: clients asked per report wanted. deadline_s, reports_min: when a round closes regardless, and
            how few reports still make a step.
        mode: ``sync`` rounds, ``async`` (FedBuff: `max_concurrency`*, `max_staleness`*) or ``semi``: a step every
            `period_s` of whatever has come in.
        sample_mode*: the selector. gradient_policy*: the algorithm.
        local_steps*, epochs: mini-batches a round; whole epochs when local_steps is 0.
        server_learning_rate: None for each algorithm's default.
        robust, hostile: a robust rule in place of the mean, and how many hostile updates it withstands.
        update_norm_max: longer updates are rejected as broken.
        secure_threshold: above 0 a deployment sums updates under masks, and so many of the participants must stay to
            the end; a simulation has nothing to hide and takes no notice.
        compression: ``none``, ``topk:SHARE`` or ``quantise:BITS``, with error feedback.
        privacy: ``none``, ``central`` or ``local``; noise_factor*, clip_threshold*, privacy_delta.
        reference_flops: FLOPs behind the traces' milliseconds per sample.
        method: ``vmap``, ``loop``, or ``auto`` (measured). processes, threads: of the host. ray: address of a Ray
            cluster whose cores (as many as `processes`) train in place of the host's; ``local`` starts one.
    """

    data_set: str = "synthetic"
    data_map_file: str = ""
    data_query: str = ""
    data_db: str = ""
    clients: int = 1000
    alpha: float = 0.5
    beta: float = 0.5
    gamma: float = 0.3
    model: str = ""
    filter_less: int = 0
    device_conf_file: str = ""
    device_avail_file: str = ""
    seed: int = 0
    rounds: int = 100
    num_participants: int = 100
    overcommitment: float = 1.3
    deadline_s: float = float("inf")
    reports_min: int = 1
    mode: str = "sync"
    max_concurrency: int = 100
    max_staleness: int = 1000
    period_s: float = 600.0
    sample_mode: str = "random"
    gradient_policy: str = "fed-avg"
    local_steps: int = 5
    epochs: int = 1
    learning_rate: float = 0.05
    batch_size: int = 20
    momentum: float = 0.0
    weight_decay: float = 0.0
    proxy_mu: float = 0.1
    qfed_q: float = 1.0
    server_learning_rate: float | None = None
    robust: str = "none"
    hostile: int = 0
    update_norm_max: float = float("inf")
    secure_threshold: int = 0
    compression: str = "none"
    privacy: str = "none"
    noise_factor: float = 1.0
    clip_threshold: float = 1.0
    privacy_delta: float = 1e-6
    eval_interval: int = 1
    reference_flops: float = 6e8
    method: str = "auto"
    processes: int = 1
    threads: int = 1
    ray: str = ""

    def __post_init__(self) -> None:
        _one_of("mode", self.mode, MODES)
        _one_of("gradient_policy", self.gradient_policy, POLICIES)
        _one_of("privacy", self.privacy, PRIVACY)
        _one_of("data_set", self.data_set, DATA_SETS)
        _one_of("method", self.method, ("auto", "vmap", "loop"))
        for lowest, names in _AT_LEAST.items():
            for name in names.split():
                _bounded(name, getattr(self, name), lowest)
        for name in _ABOVE_ZERO:
            _bounded(name, getattr(self, name), 0.0, open_below=True)
        if self.device_avail_file and not self.device_conf_file:
            raise UsageError(
                "device_avail_file says when devices are online, and needs device_conf_file for their speed"
            )
        if not self.momentum < 1 or not self.privacy_delta < 1:
            raise UsageError("momentum and privacy_delta must be below 1")
        if self.privacy != "none" and (self.robust != "none" or self.gradient_policy in ("q-fedavg", "scaffold")):
            raise UsageError(
                f"privacy {self.privacy!r} bounds no client's influence with a robust rule, q-fedavg or scaffold"
            )
        if self.privacy != "none" and self.sample_mode in _CHOOSE_BY_LOSS:
            raise UsageError(
                f"sample_mode {self.sample_mode!r} chooses by losses, which no noise covers: privacy needs another"
            )
        if self.mode != "sync" and self.gradient_policy in ("q-fedavg", "scaffold"):
            raise UsageError(f"gradient_policy {self.gradient_policy!r} needs mode 'sync', not {self.mode!r}")


_KEYS = {field.name: field for field in fields(FederatedConfig)}
_ALIASES = {"yogi_eta": "server_learning_rate", "num_rounds": "rounds", "total_worker": "num_participants"}
_CLUSTER_KEYS = """
    ps_ip worker_ips exp_path executor_entry aggregator_entry auth setup_commands job_conf job_name log_path wandb_token
    use_container use_cuda num_loaders ps_port data_dir input_dim num_class num_classes save_checkpoint test_bsz
    clip_bound yogi_beta yogi_beta2 yogi_tau experiment_mode engine cuda_device min_learning_rate decay_factor
    decay_round malicious_factor
"""
_NOT_USED = frozenset(_CLUSTER_KEYS.split())


def read_config(path: str | Path, **overrides: Any) -> FederatedConfig:
    """Read a YAML file: keys at the top, or in FedScale's ``job_conf`` list; `overrides` win.

    Raises:
        UsageError: the file is not YAML, or has a key (or a value of a kind) that is not known: the nearest is named.
    """
    import yaml

    try:
        document = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a readable YAML file: {str(error).splitlines()[0]}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{path}: expected 'key: value' lines")
    settings = _checked(_flat(document), str(path))
    return FederatedConfig(**{**settings, **{name: value for name, value in overrides.items() if value is not None}})


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    job = document.get("job_conf") or {}
    entries = job if isinstance(job, list) else [job]
    flat = dict(document)
    for entry in entries:
        flat |= entry if isinstance(entry, dict) else {}
    return flat


def _checked(settings: Mapping[str, Any], path: str) -> dict[str, Any]:
    ignored = sorted(_NOT_USED & set(settings) - {"job_conf"})
    if ignored:
        warnings.warn(f"{path}: not used here: {', '.join(ignored)}", SufficeWarning, stacklevel=3)
    known = {_ALIASES.get(name, name): value for name, value in settings.items() if name not in _NOT_USED}
    for name in known:
        if name not in _KEYS:
            raise UsageError(f"{path}: unknown key {name!r}{nearest(str(name), [*_KEYS, *_ALIASES])}")
    return {name: _converted(name, value, path) for name, value in known.items()}


def _converted(name: str, value: Any, path: str) -> Any:
    kind = {"int": int, "float": float, "str": str}.get(str(_KEYS[name].type), float)
    try:
        if isinstance(value, bool) or (kind is int and float(value) != int(float(value))):
            raise ValueError
        return None if value is None else kind(float(value)) if kind is int else kind(value)
    except (TypeError, ValueError):
        raise UsageError(f"{path}: {name} should be {_KEYS[name].type}, not {value!r}") from None


def _bounded(name: str, value: float | None, lowest: float, *, open_below: bool = False) -> None:
    """NaN fails, and so does infinity where it would make no sense."""
    if value is None or ((value > lowest if open_below else value >= lowest) and (value < inf or name in _UNBOUNDED)):
        return
    raise UsageError(f"{name} must be {'above' if open_below else 'at least'} {lowest:g}, not {value}")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name} {value!r} is not known{nearest(value, known)}: {', '.join(known)}")
