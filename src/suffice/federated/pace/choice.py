"""Ways to run: which cores, how many threads, how politely."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_CPU = Path("/sys/devices/system/cpu")


class Choice(NamedTuple):
    """Run on these `cores` (numbers of logical processors) with `threads` training threads.

    Niceness is the same for all, as given: becoming less nice again takes privileges, so it cannot be one of several
    choices. Frequencies cannot be set without privileges either.
    """

    cores: tuple[int, ...]
    threads: int

    def __str__(self) -> str:
        return f"cores {','.join(map(str, self.cores))} x {self.threads} threads"


def all_choices(capacity: Mapping[int, float] | None = None) -> list[Choice]:
    """The largest 1, 2, 4, … and all of the cores this process may use, where cores differ also those of each size; a
    thread for each core, and half as many (cores that share caches or arithmetic units may do no more than that).

    `capacity` maps core to relative speed; None reads it from the kernel.
    """
    speed = core_capacity() if capacity is None else capacity
    ranked = sorted(speed, key=lambda core: (-speed[core], core))
    widths = {1 << power for power in range(len(ranked).bit_length())} | {len(ranked)}
    found = [tuple(sorted(ranked[:width])) for width in sorted(widths) if width <= len(ranked)]
    kinds = [tuple(sorted(core for core in ranked if speed[core] == size)) for size in sorted(set(speed.values()))]
    sets = list(dict.fromkeys(found + kinds))
    return [Choice(cores, threads) for cores in sets for threads in sorted({len(cores), -(-len(cores) // 2)})]


def core_capacity() -> dict[int, float]:
    """Relative speed of each core this process may run on; 1 where the kernel does not say."""
    return {core: _capacity(core) for core in sorted(os.sched_getaffinity(0))}


def _capacity(core: int) -> float:
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        try:
            return float((_CPU / f"cpu{core}" / name).read_text())
        except (OSError, ValueError):
            continue
    return 1.0
