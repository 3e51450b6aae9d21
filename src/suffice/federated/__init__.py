"""Train one model across many devices: simulated at millions on a virtual clock, and served for real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suffice.federated.config import FederatedConfig, read_config
    from suffice.federated.finished import load_run, save_run
    from suffice.federated.simulation import Report, simulate

_HOME = {
    "FederatedConfig": "config",
    "read_config": "config",
    "load_run": "finished",
    "save_run": "finished",
    "Report": "simulation",
    "simulate": "simulation",
}
__all__ = ["FederatedConfig", "Report", "load_run", "read_config", "save_run", "simulate"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
