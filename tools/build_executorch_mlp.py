"""Build ExecuTorch's training program: python tools/build_executorch_mlp.py src/suffice/assets/mlp_64_64_10.pte"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from suffice.federated.devices import training_program
from suffice.federated.tasks.models import make_model

if __name__ == "__main__":
    example = np.zeros((20, 64), np.float32), np.zeros(20, np.int64)
    Path(sys.argv[1]).write_bytes(training_program(make_model("mlp", 64, 10, 0), *example))
