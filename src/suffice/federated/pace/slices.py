"""Long slices of the processor: how a process lets anybody interrupt it."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

_NICENESS = 19
_NUMBERS = {"x86_64": (314, 315), "aarch64": (274, 275)}
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
"""struct sched_attr: size, policy, flags, niceness, priority, runtime, deadline, period."""


def take_long_slices(thread: int, slice_ns: int) -> bool:
    """Run `thread`, and what it starts from now on, as batch work of niceness 19 in slices of `slice_ns` (0.1 to 100
    ms); False where the kernel cannot.

    Since Linux 6.12 who wakes with shorter slices, and almost everybody has those, interrupts such work at once, in
    whatever session either of them is. Idle work (SCHED_IDLE) is interrupted at once by its own session only: a
    foreground in another one waits for the clock's next tick.
    """
    numbers = _NUMBERS.get(platform.machine())
    if numbers is None:
        return False
    set_attributes, get_attributes = numbers
    call = ctypes.CDLL(None).syscall
    wanted = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_BATCH, 0, _NICENESS, 0, slice_ns, 0, 0)
    found = ctypes.create_string_buffer(_ATTRIBUTES.size)
    if call(set_attributes, thread, wanted, 0) or call(get_attributes, thread, found, len(found), 0):
        return False
    # Older kernels take the length of a slice and say nothing.
    return bool(_ATTRIBUTES.unpack(found.raw)[5] == slice_ns)
