"""The most memory that was in use while a block ran."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path
from types import TracebackType


class PeakMemory:
    """Measures a block: of the GPU where there is one, else of this process.

    Attributes:
        bytes: the peak, once the block is left.
    """

    bytes: int = 0

    def __enter__(self) -> PeakMemory:
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._watch.join()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            self.bytes = int(torch.cuda.max_memory_allocated())

    def _sample(self) -> None:
        """Linux keeps a high-water mark only for the whole life of a process, so what it holds now is looked at."""
        while True:
            self.bytes = max(self.bytes, resident_bytes())
            if self._stop.wait(0.02):
                return


def resident_bytes() -> int:
    """Memory that this process holds now; its peak so far where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize()
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
