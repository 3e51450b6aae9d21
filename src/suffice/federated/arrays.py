"""Array types the room shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
State = dict[str, npt.NDArray[np.generic]]
"""What a part remembers between rounds, as named arrays: enough to resume bit for bit, and never a pickle."""
