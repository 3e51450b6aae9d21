"""When the machine itself asks for less: a hot processor, or a battery that runs down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_SYSTEM = Path("/sys/class")


def strained(celsius_max: float = 85.0, *, system: Path = _SYSTEM) -> bool:
    """Whether a sensor reads more than `celsius_max`, or a battery is discharging; False where the kernel says neither.

    Args:
        system: where the kernel's ``thermal`` and ``power_supply`` are.
    """
    hot = any(float(text) > 1000 * celsius_max for text in _read(system, "thermal/thermal_zone*/temp"))
    return hot or "Discharging" in _read(system, "power_supply/*/status")


def _read(system: Path, pattern: str) -> Iterator[str]:
    for file in system.glob(pattern):
        try:
            yield file.read_text().strip()
        except OSError:
            continue
