"""Whether Flower is there."""

from __future__ import annotations

from importlib.util import find_spec

from suffice.errors import SufficeError


def flower_installed() -> None:
    """Raises :class:`SufficeError` that says how to get Flower."""
    if find_spec("flwr") is None:
        raise SufficeError("Flower is not installed: pip install 'suffice[flower]'")
